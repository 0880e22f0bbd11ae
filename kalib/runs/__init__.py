"""Whole runs: notebooks executed, reports kept, studies side by side."""
