"""Messages about knowledge files: lines of keys, wording, and the problems found, each with its place."""
