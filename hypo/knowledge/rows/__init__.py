"""Rows of a table held against rules: what the data say of the law by themselves, and how sure that is."""
