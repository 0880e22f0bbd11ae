"""The study file: its settings, their ranges, and reading them."""
