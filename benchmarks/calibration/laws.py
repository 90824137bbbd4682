"""Laws to calibrate on: of a plain random grammar, or drawn from the prior of hypo itself.

``draw_case``: random operators over one or two variables, one to three constants put in at random places.

``prior_case``: the structure has the probability that the product gives it, exp(-code length) over formulas as the simplifier
writes them. A tree grown with every node uniform over the S symbols has probability S^-nodes; those that the simplifier would
write otherwise, or that are not in the stated event, are drawn again, so what is left is exact within the event: all columns
occur, and there are ``LEAST`` to ``MOST`` nodes. So are laws that a formula of fewer nodes meets exactly, as c·x does
exp(log(x) - 3): the posterior knows them by that one, which is not in the event. Numbers are exact or fitted, each with the
chance of its code. A fitted one has the Cauchy prior of :mod:`hypo.posterior.laplace`, its natural size taken where all
constants are 1 (there are no data yet); constants that make the law flat, huge or undefined are drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.constants.fit import DescentOptions, fit
from hypo.likelihood.base import Gaussian
from hypo.posterior.laplace import laplace
from hypo.scoring.code_length import integer_cost

# Rows to fit.
ROWS = (20, 50, 200)
# Noise of the target, as a share of its RMS.
NOISE = (0.01, 0.1, 0.3)
# Rows to predict.
FRESH = 20
# The range of each column.
LOW = 0.5
HIGH = 3.0
# How far rows to predict lie outside of it, in widths.
BEYOND = 0.25
UNARY = ("exp", "log", "sin", "cos", "tanh", "sqrt", "square", "inv", "neg")
BINARY = ("+", "-", "*", "/")
# No law has a larger value.
LARGEST = 1e3
# No law has a spread that is a smaller share of its size.
FLATTEST = 0.05
# The grammar that laws are drawn from the prior of. Its sum over all trees is finite: S^-nodes add up to 1/2.
OPERATORS = ("+", "-", "*", "/", "neg", "inv", "square", "exp", "log", "sin")
# Nodes of a law drawn from the prior.
LEAST = 4
MOST = 14
# Draws of its constants before another structure is drawn.
TRIES = 40
# The largest exact number of a law.
LARGEST_NUMBER = 5


@dataclass(frozen=True)
class Case:
    """A law with its true constants (free leaves, each one its own), rows to fit and rows to predict, X (n_var, n_row)."""

    number: int
    law: Expression
    columns: tuple[str, ...]
    noise: float
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    sigma: float
    inside: tuple[NDArray[np.float64], NDArray[np.float64]]
    outside: tuple[NDArray[np.float64], NDArray[np.float64]]


def subtree(rng: np.random.Generator, columns: Sequence[str], size: int) -> Expression:
    """A random expression of about ``size`` nodes."""
    if size <= 1:
        return Expression.variable(str(rng.choice(columns)))
    if size == 2 or rng.uniform() < 0.4:
        return Expression.apply(str(rng.choice(UNARY)), subtree(rng, columns, size - 1))
    left = int(rng.integers(1, size - 1))
    return Expression.apply(
        str(rng.choice(BINARY)), subtree(rng, columns, left), subtree(rng, columns, size - 1 - left)
    )


def with_constant(rng: np.random.Generator, e: Expression, value: float) -> Expression:
    """``e`` with a constant added to, or multiplied by, a subexpression."""
    c = Expression.constant(value, free=True)
    if len(e) > 1 and rng.uniform() < 0.6:
        parts = list(e.children)
        k = int(rng.integers(len(parts)))
        parts[k] = with_constant(rng, parts[k], value)
        return Expression.join(e.root, parts)
    return c * e if rng.uniform() < 0.6 else e + c


def draw_law(rng: np.random.Generator) -> tuple[Expression, tuple[str, ...]]:
    """A law that varies, is defined well beyond the data, and whose constants do not merge."""
    columns = ("x", "z")[: int(rng.integers(1, 3))]
    wide = (1.0 + BEYOND) * (HIGH - LOW)
    X = rng.uniform(max(1e-3, HIGH - wide), LOW + wide, (len(columns), 400))
    while True:
        e = subtree(rng, columns, int(rng.integers(1, 6)))
        count = int(rng.integers(1, 4))
        for _ in range(count):
            value = float(rng.choice([-1.0, 1.0], p=[0.3, 0.7]) * np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
            e = with_constant(rng, e, value)
        e = simplify(e)
        y = Program.of(e, columns).value(X) if set(e.variables) == set(columns) else np.array([np.nan])
        if len(e.free) == count and np.all(np.isfinite(y)) and np.max(np.abs(y)) < LARGEST:
            size = float(np.sqrt(np.mean(y**2)))
            shape = laplace(e, X, columns, Gaussian(y, np.full(400, 0.1 * size)))
            if np.std(y) > FLATTEST * size and shape is not None and not shape.unidentified:
                return e, columns


def draw_case(number: int) -> Case:
    """Case ``number``: rows and noise in turn, all else at random with that seed."""
    rng = np.random.default_rng([number, 20])
    return _measured(number, *draw_law(rng), rng)


def prior_case(number: int) -> Case:
    """The same with a law from the prior."""
    rng = np.random.default_rng([number, 21])
    return _measured(number, *prior_law(rng), rng)


def _measured(number: int, law: Expression, columns: tuple[str, ...], rng: np.random.Generator) -> Case:
    """Rows to fit and rows to predict."""
    n, noise = ROWS[number % 3], NOISE[number // 3 % 3]
    program = Program.of(law, columns)
    X = rng.uniform(LOW, HIGH, (len(columns), n))
    clean = program.value(X)
    sigma = noise * float(np.sqrt(np.mean(clean**2)))

    def measured(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return rows, program.value(rows) + sigma * rng.standard_normal(rows.shape[1])

    step = BEYOND * (HIGH - LOW)
    beyond = np.where(
        rng.uniform(size=(len(columns), FRESH)) < 0.5,
        rng.uniform(max(1e-3, LOW - step), LOW, (len(columns), FRESH)),
        rng.uniform(HIGH, HIGH + step, (len(columns), FRESH)),
    )
    y = clean + sigma * rng.standard_normal(n)
    inside = measured(rng.uniform(LOW, HIGH, (len(columns), FRESH)))
    return Case(number, law, columns, noise, X, y, sigma, inside, measured(beyond))


# --- drawn from the prior -----------------------------------------------------------------------------------------


def grown(rng: np.random.Generator, columns: Sequence[str], limit: int) -> Expression | None:
    """A tree whose every node is uniform over the symbols; None when it has more than ``limit`` nodes."""
    symbols = [*OPERATORS, *columns, None]
    postfix: list[tuple[int, str | None]] = []
    open_places = 1
    # Polish notation: the first node first, each taking the next open place.
    while open_places:
        if len(postfix) + open_places > limit:
            return None
        symbol = symbols[int(rng.integers(len(symbols)))]
        arity = 0 if symbol is None or symbol in columns else ops.BY_NAME[symbol].arity
        postfix.append((arity, symbol))
        open_places += arity - 1
    stack: list[Expression] = []
    for arity, symbol in reversed(postfix):
        if arity:
            args = [stack.pop() for _ in range(arity)]
            stack.append(Expression.apply(str(symbol), *args))
        elif symbol is None:
            stack.append(number(rng))
        else:
            stack.append(Expression.variable(symbol))
    return stack[0]


def number(rng: np.random.Generator) -> Expression:
    """A number: to be fitted, or an exact whole one with the chance exp(-code length)."""
    exact = range(-LARGEST_NUMBER, LARGEST_NUMBER + 1)
    chance = np.array([1.0, *np.exp([-integer_cost(k) for k in exact])])
    k = int(rng.choice(len(chance), p=chance / chance.sum()))
    return Expression.constant(1.0, free=True) if k == 0 else Expression.constant(float(exact[k - 1]))


def in_event(e: Expression, columns: Sequence[str]) -> bool:
    """True if a structure is one that ``prior_law`` may draw."""
    return set(e.variables) == set(columns) and LEAST <= len(e) <= MOST


def prior_law(rng: np.random.Generator) -> tuple[Expression, tuple[str, ...]]:
    """A law from the prior, with the columns of its table."""
    columns = ("x", "z")[: int(rng.integers(1, 3))]
    wide = (1.0 + BEYOND) * (HIGH - LOW)
    X = rng.uniform(max(1e-3, HIGH - wide), LOW + wide, (len(columns), 400))
    while True:
        e = grown(rng, columns, MOST)
        if e is None or not in_event(e, columns) or simplify(e).masked() != e.masked():
            continue
        scale = _natural(e, X, columns)
        if scale is None:
            continue
        for _ in range(TRIES if len(scale) else 1):
            values = e.values
            values[list(e.free)] = scale * rng.standard_cauchy(len(scale))
            law = e.with_values(values)
            y = Program.of(law, columns).value(X)
            good = np.all(np.isfinite(y)) and np.max(np.abs(y)) < LARGEST
            if good and np.std(y) > FLATTEST * np.sqrt(np.mean(y**2)):
                if any(meets(small, X[:, :60], y[:60], columns, starts=1, steps=50) for small in smaller(columns)):
                    break
                return law, columns


def meets(
    e: Expression, X: NDArray[np.float64], y: NDArray[np.float64], columns: Sequence[str], *, starts: int, steps: int
) -> bool:
    """True if ``e``, its free constants fitted anew, meets noise-free rows."""
    again = fit(
        e, X, columns, Gaussian(y), starts=starts, rng=np.random.default_rng(0), options=DescentOptions(steps=steps)
    )
    with np.errstate(all="ignore"):
        error = Program.of(again, columns).value(X) - y
        return bool(np.sqrt(np.mean(error**2)) < 1e-6 * np.sqrt(np.mean(y**2)))


@lru_cache
def smaller(columns: tuple[str, ...]) -> tuple[Expression, ...]:
    """All formulas of fewer than ``LEAST`` nodes, numbers free."""
    by_size: list[list[Expression]] = [[Expression.constant(1.0, free=True), *map(Expression.variable, columns)]]
    for size in range(2, LEAST):
        new = [Expression.apply(o, e) for o in OPERATORS if ops.BY_NAME[o].arity == 1 for e in by_size[size - 2]]
        for k in range(1, size - 1):
            pairs = [(a, b) for a in by_size[k - 1] for b in by_size[size - 2 - k]]
            new += [Expression.apply(o, a, b) for o in OPERATORS if ops.BY_NAME[o].arity == 2 for a, b in pairs]
        by_size.append(new)
    return tuple(e for found in by_size for e in found)


def _natural(e: Expression, X: NDArray[np.float64], columns: Sequence[str]) -> NDArray[np.float64] | None:
    """Natural sizes of the constants of ``e`` where all are 1, or 0.5 where that is undefined; None where both are."""
    for value in (1.0, 0.5):
        start = e.with_values([value if c.free else c.value for c in e.constants])
        y = Program.of(start, columns).value(X)
        with np.errstate(over="ignore", invalid="ignore"):
            size = float(np.sqrt(np.mean(y**2)))
        if np.isfinite(size) and size > 0:
            shape = laplace(start, X, columns, Gaussian(y, np.full(X.shape[1], 0.1 * size)))
            if shape is not None:
                return shape.prior_scale
    return None
