"""Products of powers with a given dimension: Buckingham's π groups and the monomials that carry the target's units."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from hypo.expression.expr import Expression

LARGEST_POWER = 2
MOST_FACTORS = 5
# With many leaves fewer take part at a time: so many sets of them are gone through at most.
MOST_SETS = 60_000


def monomials(
    leaves: Sequence[Expression],
    dimensions: Sequence[Sequence[Fraction | int]],
    target: Sequence[Fraction] | None,
    limit: int,
) -> list[tuple[tuple[int, ...], Expression]]:
    """Exponents (n_leaf,) and formulas of products of powers with dimension ``target`` (None: pure numbers), simplest first.

    Exponents are at most ``LARGEST_POWER`` in size, up to ``MOST_FACTORS`` leaves take part, fewer where there are
    more than ``MOST_SETS`` sets of so many. Of a pure number and its inverse the one whose first exponent is positive is given;
    products with a factor that is a pure number by itself are left out, because they are made of smaller groups.
    """
    n = len(leaves)
    table = np.array([[float(x) for x in d] for d in dimensions]).reshape(n, -1)
    wanted = np.zeros(table.shape[1]) if target is None else np.array([float(x) for x in target])
    pure = np.abs(table).max(axis=1, initial=0.0) < 1e-9
    powers = [q for q in range(-LARGEST_POWER, LARGEST_POWER + 1) if q]
    found: list[tuple[int, ...]] = []
    for size in range(1, min(n, MOST_FACTORS) + 1):
        if math.comb(n, size) > MOST_SETS:
            break
        choices = np.array(list(itertools.product(powers, repeat=size)))
        if target is None:
            choices = choices[choices[:, 0] > 0]
        for chosen in itertools.combinations(range(n), size):
            if target is None and size > 1 and pure[list(chosen)].any():
                continue
            ok = np.abs(choices @ table[list(chosen)] - wanted).max(axis=1) < 1e-9
            for row in choices[ok]:
                exponents = [0] * n
                for k, q in zip(chosen, row, strict=True):
                    exponents[k] = int(q)
                if target is None and np.gcd.reduce([abs(q) for q in exponents]) > 1:
                    continue
                found.append(tuple(exponents))
    found.sort(key=lambda e: (sum(abs(q) for q in e), sum(1 for q in e if q), [-q for q in e]))
    return [(e, monomial(leaves, e)) for e in found[:limit]]


def monomial(leaves: Sequence[Expression], exponents: Sequence[int]) -> Expression:
    """∏ leaf**exponent as one quotient."""
    top: list[Expression] = []
    bottom: list[Expression] = []
    for leaf, q in zip(leaves, exponents, strict=True):
        if q:
            power = (
                leaf
                if abs(q) == 1
                else Expression.apply("square", leaf)
                if abs(q) == 2
                else (leaf ** Expression.constant(abs(q)))
            )
            (top if q > 0 else bottom).append(power)
    if not top:
        return Expression.apply("inv", product(bottom))
    return product(top) / product(bottom) if bottom else product(top)


def product(factors: Sequence[Expression]) -> Expression:
    """The product of one or more factors."""
    out = factors[0]
    for f in factors[1:]:
        out = out * f
    return out
