"""``hypo check``: what can be said of a knowledge file beforehand, alone or against a table."""
