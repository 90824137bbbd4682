"""One form for equal formulas: simplification, normal forms, rewrite rules as data.

A rewrite that changes a formula's value anywhere in its domain does not belong here; formulas *near* a formula are
:mod:`hypo.expression.edits`.
"""
