"""Other spellings of one formula: expanded, over one denominator, cancelled, factored; the score says which is simplest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib import import_module
from threading import Timer

from hypo.errors import FormulaError
from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import PI, Expression
from hypo.kernels import opcodes as oc

# Formulas of fewer nodes have no shorter spelling worth the time.
LEAST = 6
# Those of more nodes take too much of it.
MOST = 45
# Powers p/q of larger p make polynomials of that degree, which take minutes to factor.
MOST_POWER = 12
# What is needed at the end only.
LATER = ("scipy.special", "sympy")
# Seconds after which it is loaded in the background: shorter work may not need it.
WAIT = 1.0
# Seconds that this takes on a busy machine: with less than that left nothing waits for it.
PATIENCE = 4.0
# What every search needs.
ALWAYS = ("scipy.spatial", "scipy.special")


def load() -> None:
    """Load what a search needs before it starts: imports take most of a second, and seconds on a busy machine."""
    for name in ALWAYS:
        import_module(name)


@contextmanager
def loading() -> Iterator[None]:
    """Load sympy, and the special functions of intervals, beside longer work, which would wait most of a second for them at the
    end."""
    timer = Timer(WAIT, lambda: [import_module(name) for name in LATER])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def ready(seconds: float) -> bool:
    """True if there are spellings to be had within so many seconds: sympy is loaded, or there is time for it."""
    module = sys.modules.get("sympy")
    loaded = module is not None and not getattr(module.__spec__, "_initializing", False)
    return loaded or seconds > PATIENCE


def spellings(e: Expression) -> Iterator[Expression]:
    """Formulas equal to ``e`` where both are defined; fitted constants stay free, with their values."""
    if not LEAST <= len(e) <= MOST or not any(op in (oc.ADD, oc.SUB) for op, _ in e.code):
        return
    if any(_degree(node) > MOST_POWER for node in e.walk()):
        return
    import sympy

    from hypo.expression.sympy_bridge import from_sympy, to_sympy

    free = {f"theta_{k}": e.constants[k] for k in e.free}
    whole = e
    for node, (op, arg) in enumerate(e.code):
        if op == oc.CONST and arg in e.free:
            whole = whole.replace_leaf(node, Expression.variable(f"theta_{arg}"))
    back = {n: Expression.constant(c.value, free=True) for n, c in free.items()}
    # Named constants come back from sympy as plain names.
    known = {c.name: c.value for c in e.constants if c.name is not None and not c.free and c != PI}
    back |= {name: Expression.constant(value, name=name) for name, value in known.items()}
    try:
        start = to_sympy(whole)
    except FormulaError:
        return
    for form in (sympy.expand, sympy.together, sympy.cancel, sympy.factor):
        try:
            yield simplify(from_sympy(form(start)).substitute(back))
        # sympy raises many things on formulas it cannot bring into a form; the others may still do.
        except Exception:
            continue


def _degree(e: Expression) -> int:
    """The numerator of the exponent of a power, a simple fraction near it; 0 for other formulas."""
    if e.root != oc.POW:
        return 0
    exponent = e.children[1]
    if exponent.root != oc.CONST or exponent.free:
        return 0
    return abs(Fraction(exponent.constants[0].value).limit_denominator(MOST_POWER).numerator)
