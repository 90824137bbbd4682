"""A world model as people read it, and as a file that programs read."""
