"""Expressions: the operator table, the postfix type, parser, printers, simplifier, derivatives, sympy bridge."""

from hypo.expression import printing
from hypo.expression.expr import PI, Constant, Expression, write_by
from hypo.expression.sympy_bridge import to_sympy

write_by(printing, to_sympy)

__all__ = ["PI", "Constant", "Expression"]
