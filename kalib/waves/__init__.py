"""What changed between two waves."""
