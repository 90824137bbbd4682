"""Expressions: the operator table, the postfix type, parser, printers, simplifier, derivatives, sympy bridge."""

from hypo.expression.expr import PI, Constant, Expression

__all__ = ["PI", "Constant", "Expression"]
