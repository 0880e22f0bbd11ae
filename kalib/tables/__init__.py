"""The client's files: reading, checking, and what can be told from them before any model."""
