"""PySR as a proposer, in a process of its own."""
