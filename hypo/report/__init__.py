"""What people see of a search: tables, live progress, plots. Needs rich or matplotlib only when called."""
