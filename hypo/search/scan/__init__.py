"""Scans of libraries: which pairs and tuples of rows explain which targets."""
