"""Seeded generators of the shipped studies and of worlds with a known truth."""
