"""The result of a search, its file, and what can be asked of it: predictions, uncertainty, other units."""
