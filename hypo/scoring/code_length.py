"""Complexity as a code length in nats: structure, exact numbers and fitted constants.

Structure: every node names one of S symbols (operators enumerated, variables, named constants, "number"), log S nats
each, times the operator's weight. Exact whole numbers k cost the universal code log*(|k|) (Rissanen 1983), fractions
that of numerator and denominator, other exact numbers their decimal digits. A fitted constant θ costs
log(1 + |θ|/δ) + log 2 (magnitude at precision δ, sign) with δ = sqrt(12/I), I the Fisher information of θ: the
precision the data can pay for (Bartlett, Desmond & Ferreira 2023, eq. 5). With units, the unit of a fitted constant is
spelled out too (:func:`named_unit_costs`). An exact number is therefore taken wherever the data allow it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Constant, Expression
from hypo.units import Dimension

# Σ 2^(−log* n) over n ≥ 1 (Rissanen 1983), rounded up. It is finite for logarithms of base 2, infinite for natural ones.
_LOG_STAR_SUM = 2.86512


def integer_cost(k: int) -> float:
    """Universal code length of a whole number in nats: log c + log 2 · (log₂|k| + log₂ log₂|k| + …), one bit for a minus
    sign; 0 costs as much as 1. c makes Σ exp(−cost) over all whole numbers 1 (Kraft)."""
    bits, term = 0.0, math.log2(max(1, abs(k)))
    while term > 0:
        bits += term
        term = math.log2(term)
    return math.log(1.5 * _LOG_STAR_SUM + 1.0) + math.log(2.0) * (bits + (k < 0))


def literal_cost(constant: Constant) -> float:
    """Code length of an exact number (named constants are symbols of the grammar and cost nothing beyond their node)."""
    if constant.name is not None:
        return 0.0
    if constant.value == round(constant.value) and abs(constant.value) < 1e15:
        return integer_cost(int(constant.value))
    fraction = Fraction(constant.value).limit_denominator(64)
    if float(fraction) == constant.value:
        return integer_cost(fraction.numerator) + integer_cost(fraction.denominator)
    digits = len(f"{abs(constant.value):.15g}".replace(".", "").split("e")[0].strip("0"))
    return digits * math.log(10.0) + math.log(2.0)


def fitted_cost(value: float, information: float) -> float:
    """Code length of a fitted constant: log(1 + |θ|·sqrt(I/12)) + log 2."""
    return math.log1p(abs(value) * math.sqrt(max(information, 0.0) / 12.0)) + math.log(2.0)


def spelled_unit_cost(exponents: Iterable[Fraction]) -> float:
    """Code length of a unit spelled in base units: numerator and denominator of each exponent that is not 0."""
    return sum(integer_cost(p.numerator) + integer_cost(p.denominator) for p in exponents if p)


def named_unit_costs(known: Iterable[Dimension]) -> dict[Dimension, float]:
    """Code lengths of units made of one or two known quantities' units, each to the power ±1, ±1/2, ±3/2 or ±2.

    A factor costs log 2n (which of n quantities, above or below the line) and log 4 more for a power other than 1: a
    constant in the unit of a column, or of a ratio of two, is cheap. A law with pure numbers needs none of this: it is
    preferred to one with a constant that carries units.
    """
    distinct = list(dict.fromkeys(d for d in known if not d.is_dimensionless))
    factors: list[tuple[Dimension, float]] = []
    for d in distinct:
        for p in (Fraction(1), Fraction(1, 2), Fraction(3, 2), Fraction(2)):
            cost = math.log(2 * len(distinct)) + (0.0 if p == 1 else math.log(4.0))
            factors += [(d**p, cost), (d**-p, cost)]
    costs: dict[Dimension, float] = {}
    for d, cost in [*factors, *((a * b, s + t) for a, s in factors for b, t in factors)]:
        if not d.is_dimensionless:
            costs[d] = min(cost, costs.get(d, math.inf))
    return costs


def code_length(
    e: Expression, information: NDArray[np.float64], symbols: int, weights: Mapping[str, float] | None = None
) -> float:
    """Code length of ``e`` in nats.

    ``information`` (n_constant,) holds the Fisher information of each constant slot; leaves that share a free name are
    one parameter and are charged at their first appearance only. ``symbols`` is S, the grammar's number of symbols.
    """
    total = e.complexity(weights) * math.log(symbols)
    seen: set[str] = set()
    for constant, info in zip(e.constants, information, strict=True):
        if not constant.free:
            total += literal_cost(constant)
        elif constant.name is None or constant.name not in seen:
            total += fitted_cost(constant.value, float(info))
            if constant.name is not None:
                seen.add(constant.name)
    return total
