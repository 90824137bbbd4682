"""Proofs that a sum is conserved: its rate by the law vanishes identically, whatever the values of the constants.

Coefficients that were found as numbers are first told by the constants of the law, c = r·a**±1·b**±1 with r simple. Then
Σ_i ∂u/∂x_i·f_i is expanded exactly (:mod:`hypo.expression.analysis.identity`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from hypo.expression.analysis.derivative import derivative
from hypo.expression.analysis.identity import is_identity
from hypo.expression.expr import Expression

# Simple numbers that a coefficient may hold beside constants.
NUMBERS = tuple(sign * v for v in (1.0, 2.0, 0.5, 3.0, 4.0, 0.25, 1.5, 6.0) for sign in (1, -1)) + (
    1 / 3,
    -1 / 3,
    2 / 3,
    -2 / 3,
)
# Constants in one coefficient.
MOST_CONSTANTS = 4
# Agreement of a coefficient with its formula.
AGREE = 1e-8


def name_coefficient(
    value: float, constants: Mapping[str, float], other: float, others: Mapping[str, float]
) -> Expression:
    """A coefficient by the constants of the law; as a number where none of the simple formulas gives it.

    Args:
        value: the coefficient.
        constants: by name.
        other: the coefficient in the same sum with other constants, which tells 4 from b/d.
        others: these constants.
    """
    usable = [k for k, v in constants.items() if v != 0.0]
    for count in range(min(MOST_CONSTANTS, len(usable)) + 1):
        for chosen in itertools.combinations(usable, count):
            for signs in itertools.product((1, -1), repeat=count):
                first, second = (
                    float(np.prod([of[k] ** s for k, s in zip(chosen, signs, strict=True)]))
                    for of in (constants, others)
                )
                for number in NUMBERS:
                    agrees = abs(number * first - value) <= AGREE * abs(value)
                    if agrees and abs(number * second - other) <= AGREE * abs(other):
                        return _formula(number, chosen, signs, constants)
    return Expression.constant(value)


def _formula(number: float, names: Sequence[str], signs: Sequence[int], values: Mapping[str, float]) -> Expression:
    tops = [Expression.constant(values[k], name=k) for k, s in zip(names, signs, strict=True) if s > 0]
    below = [Expression.constant(values[k], name=k) for k, s in zip(names, signs, strict=True) if s < 0]
    inverse = round(1 / number)
    whole = Expression.constant(number) if number == round(number) else None
    if whole is None and abs(1 / number - inverse) < AGREE:
        whole, below = Expression.constant(float(np.sign(number))), [Expression.constant(abs(float(inverse))), *below]
    elif whole is None:
        whole, below = Expression.constant(float(round(6 * number))), [Expression.constant(6.0), *below]
    if tops and whole.values[0] == 1.0:
        top, tops = tops[0], tops[1:]
    elif tops and whole.values[0] == -1.0:
        top, tops = -tops[0], tops[1:]
    else:
        top = whole
    for factor in tops:
        top = top * factor
    for factor in below:
        top = top / factor
    return top


def is_conserved(
    quantity: Expression, laws: Mapping[str, Expression], is_discrete: bool, positive: frozenset[str]
) -> bool:
    """True only if it is proved that the quantity keeps its value.

    Args:
        quantity: over states and named constants.
        laws: by state, with the same names of constants.
        is_discrete: True where a law gives the next value.
        positive: states that are never negative.
    """
    zero = Expression.constant(0.0)
    if is_discrete:
        return is_identity(quantity.substitute(laws), quantity, positive)
    return is_identity(rate_of(quantity, laws) or zero, zero, positive)


def rate_of(quantity: Expression, laws: Mapping[str, Expression]) -> Expression | None:
    """Σ_i ∂u/∂x_i·f_i; None where no law bears on the quantity."""
    total: Expression | None = None
    for name in quantity.variables:
        if name in laws:
            part = derivative(quantity, name) * laws[name]
            total = part if total is None else total + part
    return total
