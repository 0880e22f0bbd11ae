"""Teams, territories and targets."""
