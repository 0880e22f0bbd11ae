"""The table of words, and the writing of numbers, by key and language."""
