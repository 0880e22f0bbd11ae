"""Charts: results and axes in, axes out."""
