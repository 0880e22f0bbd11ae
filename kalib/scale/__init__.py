"""A run's formula taken to tables of any size, and fitted on them."""
