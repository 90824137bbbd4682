"""A search as people see it: tables, live progress, plots. Needs rich or matplotlib only when called."""
