"""The posterior over systems, and what can be asked of it."""
