"""A law as a sum: its terms, told apart by their form and not by their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc


def freed(e: Expression) -> Expression:
    """``e`` with all its numbers to be fitted, exact ones too; named constants stay."""
    # Unlike numbers, or the simplifier could take one from the other.
    numbers = tuple(
        replace(c, value=1.2345 + 0.01 * i, free=True, name=None) if c.free or c.name is None else c
        for i, c in enumerate(e.constants)
    )
    return replace(e, constants=numbers)


def summands(e: Expression) -> Iterator[str]:
    """The terms of ``e`` as a sum, without coefficients: ``2*x + 3*sin(0.5*z) - 1`` has x, sin(c*z) and 1."""
    taken = {*e.variables, *(c.name for c in e.constants if c.name)}
    letter = next(name for name in ("c", "c_", "c__") if name not in taken)
    todo = [simplify(freed(e))]
    while todo:
        part = todo.pop()
        if not part.variables and all(c.free for c in part.constants):
            yield "1"
        elif part.root in (oc.ADD, oc.SUB, oc.NEG):
            todo += part.children
        elif part.root in (oc.MUL, oc.DIV) and (rest := [p for p in part.children if not _is_number(p)]) != [
            *part.children
        ]:
            inverse = part.root == oc.DIV and _is_number(part.children[0])
            todo += [Expression.join(oc.INV, rest)] if inverse else rest
        else:
            shown = (replace(c, name=letter) if c.free else c for c in part.constants)
            yield str(replace(part, constants=tuple(shown)))


def _is_number(e: Expression) -> bool:
    return len(e) == 1 and not e.variables and e.constants[0].free
