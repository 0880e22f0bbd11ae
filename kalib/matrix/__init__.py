"""Zones and key accounts."""
