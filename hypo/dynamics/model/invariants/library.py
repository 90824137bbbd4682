"""Functions of the states whose sums may be conserved, simplest first.

Monomials to degree four; sin, cos, exp and log of each state; and, from the law itself, what its functions come from when they
are integrated: cos(u) from sin(u), q**(a + 1) from q**a, log(q) from 1/q.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.expression.analysis.derivative import derivative
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc

Values = NDArray[np.float64]

# Degree of the largest monomials.
MOST_DEGREE = 4
# Functions of a library; with many states the degree is less.
MOST_FUNCTIONS = 250
# Functions that each state goes through by itself.
FUNCTIONS = ("log", "sin", "cos", "exp")
# Powers that a node raises its argument to.
_POWERS = {oc.INV: -1.0, oc.SQUARE: 2.0, oc.CUBE: 3.0, oc.SQRT: 0.5, oc.CBRT: 1.0 / 3.0}
_CIRCULAR = {oc.SIN: "cos", oc.COS: "sin"}


def list_quantities(states: Sequence[str], equations: Sequence[Expression]) -> tuple[Expression, ...]:
    """Functions of the states, each once, simplest first: by degree, what comes from the law before other functions."""
    variables = [Expression.variable(name) for name in states]
    found: dict[str, Expression] = {}
    degrees = [list(_monomials(variables, degree)) for degree in range(1, _degree(len(states)) + 1)]
    own = [u for e in equations for u in _from_law(e) if set(u.variables) <= set(states) and u.variables]
    single = [Expression.apply(name, v) for name in FUNCTIONS for v in variables]
    for each in (*degrees[0], *_flat(degrees[1:2]), *own, *single, *_flat(degrees[2:])):
        found.setdefault(str(each), each)
    return tuple(found.values())


def _flat(lists: Sequence[Sequence[Expression]]) -> list[Expression]:
    return [e for each in lists for e in each]


def _degree(n: int) -> int:
    """The degree of the largest monomials of n variables that the library has room for."""
    count, degree = 0, 0
    while degree < MOST_DEGREE:
        size = sum(
            1 for _ in itertools.islice(itertools.combinations_with_replacement(range(n), degree + 1), MOST_FUNCTIONS)
        )
        if count + size > MOST_FUNCTIONS:
            break
        count, degree = count + size, degree + 1
    return max(degree, 1)


def _monomials(variables: Sequence[Expression], degree: int) -> Iterator[Expression]:
    for chosen in itertools.combinations_with_replacement(range(len(variables)), degree):
        factors = []
        for k, same in itertools.groupby(chosen):
            n = len(list(same))
            factors.append(variables[k] if n == 1 else variables[k] ** float(n) if n > 3 else _short(variables[k], n))
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        yield product


def _short(v: Expression, n: int) -> Expression:
    return Expression.apply("square" if n == 2 else "cube", v)


def _from_law(e: Expression) -> Iterator[Expression]:
    """Integrals of the functions in a law by their arguments."""
    for part in e.walk():
        op = part.root
        if op in _CIRCULAR:
            yield Expression.apply(_CIRCULAR[op], part.children[0])
            yield part
        elif op == oc.EXP:
            yield part
        base, power = _as_power(part)
        if op == oc.DIV:
            base, power = _as_power(part.children[1])
            power = -power
        if power in (0.0, 1.0) or (len(base) == 1 and power > 0):
            continue
        for raised in (power + 1.0, power):
            yield from _raised(base, raised)


def _as_power(e: Expression) -> tuple[Expression, float]:
    """A base and the power to which ``e`` raises it."""
    if e.root in _POWERS:
        base, power = _as_power(e.children[0])
        return base, power * _POWERS[e.root]
    if e.root == oc.POW and e.children[1].root == oc.CONST:
        base, power = _as_power(e.children[0])
        return base, power * float(e.children[1].values[0])
    return e, 1.0


def _raised(base: Expression, power: float) -> Iterator[Expression]:
    if abs(power) < 1e-12:
        yield Expression.apply("log", base)
    elif power == 1.0:
        yield base
    elif power == 0.5:
        yield Expression.apply("sqrt", base)
    elif power < 0:
        for positive in _raised(base, -power):
            yield Expression.apply("inv", positive)
    elif power in (2.0, 3.0):
        yield _short(base, int(power))
    else:
        yield base ** Expression.constant(power)


def gradients_of(library: Sequence[Expression], states: Sequence[str], X: Values) -> Values:
    """Gradients (n_function, n_state, n) at states X (n_state, n)."""
    columns = np.ascontiguousarray(X)
    out = np.zeros((len(library), len(states), X.shape[1]))
    for k, g in enumerate(library):
        for name in g.variables:
            out[k, list(states).index(name)] = Program.of(derivative(g, name), states).value(columns)
    return out
