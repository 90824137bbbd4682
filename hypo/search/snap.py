"""Snapping: replacing fitted constants by exact numbers where the score improves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hypo.expression.evaluate import Program
from hypo.expression.expr import PI, Expression
from hypo.kernels import opcodes as oc
from hypo.scoring.complexity import fitted_cost, literal_cost
from hypo.scoring.score import Hypothesis, Scorer

# Candidates tried per constant, cheapest first.
TRIES = 3
# Half-width, in standard errors, within which an exact number is tried.
REACH = 4.0
# Moves tried before a formula is left as it is.
TRIED = 4


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
    covariance: Callable[[Expression], NDArray[np.float64]],
    refit: Callable[[Expression], Hypothesis | None],
    scorer: Scorer,
) -> Hypothesis:
    """Greedy snapping: as long as the score falls, fix a constant at an exact number.

    ``covariance`` gives that of all constant slots (n_constant, n_constant), ``refit`` simplifies, fits the other constants and
    scores. What a move would cost is predicted (:func:`_moves`); only the most promising are tried.
    """
    best = h
    refused: set[tuple[int, str]] = set()
    while best.expression.free:
        for _, node, number in _moves(best, covariance(best.expression), scorer)[:TRIED]:
            move = (round(best.expression.constants[best.expression.code[node][1]].value * 1e6), str(number))
            if move in refused:
                continue
            trial = refit(best.expression.replace_leaf(node, number))
            if trial is not None and trial.score < best.score:
                best = trial
                break
            refused.add(move)
        else:
            return best
    return best


def _moves(
    h: Hypothesis, covariance: NDArray[np.float64], scorer: Scorer
) -> list[tuple[float, int, Expression]]:
    """(Predicted change of the score, node, exact number) for each constant and number near it, best first.

    With a parabola for the sum of squares, fixing θ_i at v while the others adapt adds (v − θ_i)²/C_ii times the noise variance
    to it, C being the covariance.
    """
    e = h.expression
    log_symbols = math.log(scorer.symbols)
    moves: list[tuple[float, int, Expression]] = []
    for node, (op, arg) in enumerate(e.code):
        if op != oc.CONST or not e.constants[arg].free or e.constants[arg].name is not None:
            continue
        value, variance = e.constants[arg].value, float(covariance[arg, arg])
        error = REACH * math.sqrt(variance) + 1e-9 * abs(value)
        if abs(value) <= error:
            options = [Expression.constant(0.0)]
        else:
            options = list(exact_numbers(value, min(error, 0.2 * abs(value))))
        known = fitted_cost(value, 1.0 / variance if variance > 0 else 0.0)
        for number in options:
            away = (float(_value(number)) - value) ** 2 / max(variance, 1e-18 * value**2, 1e-300)
            misfit = scorer.likelihood.extra_misfit(away)
            size = len(number) - 1
            if len(number) == 1 and abs(number.constants[0].value) in (0.0, 1.0):
                # The operation it stands in goes with it.
                size = -2
            cost = size * log_symbols + sum(literal_cost(c) for c in number.constants) - known
            moves.append((misfit + cost, node, number))
    return sorted(moves, key=lambda m: (m[0], m[1]))


def _value(number: Expression) -> float:
    return float(Program.of(number, ()).value(np.empty((0, 1)))[0])
