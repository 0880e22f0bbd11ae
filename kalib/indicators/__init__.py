"""Candidates: screening, gaps, typing errors, and the design matrix."""
