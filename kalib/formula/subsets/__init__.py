"""Exact search of the best subset of each size."""
