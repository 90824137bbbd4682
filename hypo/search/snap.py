"""Snapping: replacing fitted constants by exact numbers where the score improves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np

from hypo.expression.expr import PI, Expression
from hypo.kernels import opcodes as oc
from hypo.scoring.score import Hypothesis

# Candidates tried per constant, cheapest first.
TRIES = 3
# Half-width, in standard errors, within which an exact number is tried.
REACH = 4.0


def _number(value: Fraction) -> Expression:
    top = Expression.constant(value.numerator)
    return top if value.denominator == 1 else top / Expression.constant(value.denominator)


@lru_cache(maxsize=1)
def _table() -> tuple[np.ndarray, tuple[tuple[Fraction, int, bool], ...]]:
    """Values and recipes (rational r, power m, root) of exact numbers r·π^m and sqrt(r·π^m), by value."""
    seen: dict[float, tuple[float, tuple[Fraction, int, bool]]] = {}
    for m in (0, 1, -1, 2, -2, 3, -3):
        tops = range(1, 65) if m in (0, 1, -1) else range(1, 17)
        for p in tops:
            for q in range(1, 33 if m in (0, 1, -1) else 17):
                r = Fraction(p, q)
                if r.numerator != p:
                    continue
                for root in (False, True):
                    if root and (m not in (0, 1, -1) or p > 16 or q > 16):
                        continue
                    value = float(r) * math.pi**m
                    value = math.sqrt(value) if root else value
                    cost = math.log(p) + math.log(q) + 1.5 * abs(m) + (2.0 if root else 0.0)
                    key = float(f"{value:.13g}")
                    if key not in seen or cost < seen[key][0]:
                        seen[key] = (cost, (r, m, root))
    values = np.array(sorted(seen))
    return values, tuple(seen[v][1] for v in values)


def _recipe_cost(recipe: tuple[Fraction, int, bool]) -> float:
    r, m, root = recipe
    return math.log(r.numerator) + 1.5 * math.log(r.denominator) + 1.5 * abs(m) + (2.0 if root else 0.0)


def exact_numbers(value: float, error: float) -> Iterator[Expression]:
    """Exact numbers within ``error`` of ``value``, simplest first: whole numbers, rationals, multiples and powers of π,
    their square roots."""
    size = abs(value)
    found: list[tuple[float, Expression]] = []
    whole = round(size)
    if 64 < whole < 1e6 and abs(size - whole) <= error:
        found.append((math.log(whole), Expression.constant(whole)))
    values, recipes = _table()
    lo, hi = np.searchsorted(values, [size - error, size + error])
    nearest = sorted(range(lo, hi), key=lambda k: _recipe_cost(recipes[k]))[: TRIES + 2]
    for k in nearest:
        r, m, root = recipes[k]
        e = _number(r)
        if m:
            pi = Expression(((oc.CONST, 0),), (PI,), ())
            power = pi if abs(m) == 1 else Expression.apply("square" if abs(m) == 2 else "cube", pi)
            if m > 0:
                e = power if r == 1 else (power * _number(Fraction(r.numerator)))
                e = e if r.denominator == 1 else e / Expression.constant(r.denominator)
            else:
                bottom = power if r.denominator == 1 else Expression.constant(r.denominator) * power
                e = Expression.constant(r.numerator) / bottom
        found.append((_recipe_cost(recipes[k]), Expression.apply("sqrt", e) if root else e))
    for _, e in sorted(found, key=lambda f: f[0])[:TRIES]:
        if value >= 0:
            yield e
        elif len(e) == 1 and e.constants[0].name is None:
            yield Expression.constant(-e.constants[0].value)
        else:
            yield Expression.apply("neg", e)


def snap(
    h: Hypothesis,
    errors: Callable[[Expression], np.ndarray],
    refit: Callable[[Expression], Hypothesis | None],
) -> Hypothesis:
    """Greedy snapping: as long as the score falls, fix the constant and exact number that lower it most.

    ``errors`` gives the standard error of each constant slot, ``refit`` simplifies, fits the other constants and scores.
    """
    best = h
    while best.expression.free:
        e = best.expression
        spread = errors(e)
        step: Hypothesis | None = None
        for node, (op, arg) in enumerate(e.code):
            if op != oc.CONST or not e.constants[arg].free or e.constants[arg].name is not None:
                continue
            value = e.constants[arg].value
            error = REACH * float(spread[arg]) + 1e-9 * abs(value)
            if abs(value) <= error:
                options = [Expression.constant(0.0)]
            else:
                options = list(exact_numbers(value, min(error, 0.2 * abs(value))))
            for number in options:
                trial = refit(e.replace_leaf(node, number))
                if trial is not None and trial.score < (step or best).score:
                    step = trial
        if step is None:
            return best
        best = step
    return best
