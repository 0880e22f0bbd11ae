"""kalib: key accounts by purchasing potential, not by past sales."""

__version__ = "0.1.0"
