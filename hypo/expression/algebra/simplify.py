"""Simplification of formulas to one form.

Terms are rebuilt from the leaves up (:mod:`hypo.expression.algebra.collect`) until nothing changes, so that equal sums
and products come out equal. A step that would make the formula more complex is not taken.

Domains may grow: ``x/x`` becomes 1, ``sqrt(x)**2`` becomes x, ``0*log(x)`` becomes 0, ``log(x) + log(y)`` becomes
``log(x*y)``. Where the formula was defined its value stays, up to rounding.
"""

from __future__ import annotations

import math

from hypo.expression.algebra import term as terms
from hypo.expression.algebra.collect import make
from hypo.expression.algebra.term import Term
from hypo.expression.expr import Expression

MAX_NODES = 300
_MAX_PASSES = 4


def simplify(e: Expression) -> Expression:
    """The simplest form of ``e`` that the rules reach, never with more nodes.

    Numbers to be fitted (unnamed free constants) that need not be told apart are drawn together, with their values: the
    result has the same value, but fewer of them. Exact numbers stay exact (1/3 stays a quotient), named constants stay.
    Formulas of more than ``MAX_NODES`` nodes, or with constants that are not finite, come back as they are.
    """
    if len(e) > MAX_NODES or not all(math.isfinite(c.value) for c in e.constants):
        return e
    term = terms.from_expression(e, make)
    for _ in range(_MAX_PASSES):
        new = rebuild(term)
        if new.key == term.key:
            break
        term = new
    return terms.to_expression(term) if term.size <= len(e) else e


def rebuild(term: Term) -> Term:
    """``term`` made anew from its leaves."""
    done: list[Term] = []
    todo: list[tuple[Term, bool]] = [(term, False)]
    while todo:
        t, visited = todo.pop()
        if not t.args:
            done.append(t)
        elif visited:
            n = len(t.args)
            args = tuple(done[-n:])
            del done[-n:]
            done.append(make(t.op, args))
        else:
            todo.append((t, True))
            todo.extend((a, False) for a in reversed(t.args))
    return done[0]
