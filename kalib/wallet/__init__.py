"""Potential and share of wallet of every account."""
