"""The command line. Options and printing only: what a command does is a function of :mod:`hypo.api`."""
