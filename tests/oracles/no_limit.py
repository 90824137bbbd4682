"""Searches of tests end by their turns or by themselves, so that a slow machine gives the answer of a fast one."""

# Seconds: more than any test takes.
NO_LIMIT = 3600.0
