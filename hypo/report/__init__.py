"""What people see of a result: numbers with units, tables, remarks. Needs rich or matplotlib only when called."""
