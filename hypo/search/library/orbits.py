"""Orbits: under hard swaps only one of all formulas that the swaps turn into each other is scanned.

Hard rules ``symmetric`` and ``antisymmetric`` say f(…b, a…) = ±f(…a, b…); together they generate a group G of permutations g of
the variables, each with a sign χ(g), and f∘g = χ(g)·f for all of them. Of a library remain

- the members u that change at most in sign under each g, and
- for every orbit {u∘g} of others the sum Σ χ(g)·u∘g and the product Π u∘g over its distinct images,

so that no row is scanned that no such law holds, and the sum of two rows has up to four members of the library. What is left
out, such as differences of two that change in other ways, the scans of the whole library find later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.invariance import Antisymmetric, Symmetric
from hypo.search.library.library import Library, Seed

Values = NDArray[np.float64]

# Elements of the largest group.
MOST_ELEMENTS = 24
# Orbits taken of a library, the simplest first.
MOST_ORBITS = 4000
# Members looked at together.
BLOCK = 4096
# Values that differ by less than this share of the largest are equal.
SAME = 1e-9


@dataclass(frozen=True)
class SignedPermutation:
    """A permutation: column k takes the values of column ``order[k]``; f changes by the factor ``sign``."""

    order: tuple[int, ...]
    sign: int


@dataclass(frozen=True)
class Orbits:
    """The moves of hard swaps among ``columns``, the one that moves nothing left out."""

    columns: tuple[str, ...]
    moves: tuple[SignedPermutation, ...]

    @staticmethod
    def of(columns: Sequence[str], rules: Iterable[Rule], dimensions: Mapping[str, int]) -> Orbits | None:
        """The group of the hard swaps; None without any, where they contradict each other, where what they swap differs in
        its packed ``dimensions``, or where the group is too large."""
        nothing = tuple(range(len(columns)))
        swaps: list[SignedPermutation] = []
        for rule in rules:
            if rule.hard and isinstance(rule, Symmetric | Antisymmetric) and set(rule.swap) <= set(columns):
                i, j = (columns.index(name) for name in rule.swap)
                if dimensions.get(columns[i], 0) != dimensions.get(columns[j], 0):
                    return None
                order = list(nothing)
                order[i], order[j] = j, i
                swaps.append(SignedPermutation(tuple(order), -1 if isinstance(rule, Antisymmetric) else 1))
        group = {nothing: 1}
        new = [nothing]
        while new:
            last, new = new, []
            for g in last:
                for swap in swaps:
                    h, sign = tuple(g[k] for k in swap.order), group[g] * swap.sign
                    if h not in group:
                        group[h] = sign
                        new.append(h)
                    elif group[h] != sign:
                        return None
            if len(group) > MOST_ELEMENTS:
                return None
        moves = tuple(SignedPermutation(order, sign) for order, sign in group.items() if order != nothing)
        return Orbits(tuple(columns), moves) if moves else None

    def library(self, whole: Library, limit: int, X: Values, max_cost: int, deadline: float) -> Library:
        """The library that remains of the first ``limit`` members of ``whole``; ``X`` (n_var, n_probe) are the rows of their
        values."""
        n = min(limit, whole.count)
        out: list[Seed] = []
        known: set[int] = set()
        weight = np.random.default_rng(0).uniform(0.5, 1.5, X.shape[1])
        orbits = 0
        for first in range(0, n, BLOCK):
            members = np.arange(first, min(first + BLOCK, n))
            own = whole.values[members]
            with np.errstate(all="ignore"):
                images = np.array([whole.evaluate(members, np.ascontiguousarray(X[list(m.order)])) for m in self.moves])
                close = SAME * whole.norm[members]
                same, opposite = (np.max(np.abs(images - s * own), axis=2) <= close for s in (1, -1))
                keys, others = _keys(own @ weight), _keys(images @ weight)
            stays = np.all(same | opposite, axis=0)
            usable = np.all(np.isfinite(images), axis=(0, 2))
            for i, k in enumerate(members):
                if stays[i]:
                    out.append(whole.member(int(k)))
                elif usable[i] and orbits < MOST_ORBITS and known.isdisjoint(others[:, i].tolist()):
                    # The first of its orbit.
                    orbits += 1
                    out += self._orbit(whole.member(int(k)), images[:, i], max_cost)
                known.add(int(keys[i]))
        return whole.make_holding(out, max_cost=max_cost, deadline=deadline)

    def _orbit(self, u: Seed, images: Values, max_cost: int) -> list[Seed]:
        """The sum and the product over the orbit of ``u``."""
        size = SAME * float(np.max(np.abs(u.values)))
        terms: list[tuple[Values, int, Expression]] = [(u.values, 1, u.expression)]
        factors = [(u.values, u.expression)]
        for move, v in zip(self.moves, images, strict=True):
            moved = [k for k, (w, _, _) in enumerate(terms) if np.max(np.abs(v - w)) <= size]
            e = u.expression.substitute(
                {
                    n: Expression.variable(self.columns[k])
                    for n, k in zip(self.columns, move.order, strict=True)
                    if self.columns[k] != n
                }
            )
            if not moved:
                terms.append((v, move.sign, e))
            elif terms[moved[0]][1] != move.sign:
                # The same image with both signs: the sum is zero.
                terms[moved[0]] = (v, 0, e)
            if all(np.max(np.abs(v - w)) > size and np.max(np.abs(v + w)) > size for w, _ in factors):
                factors.append((v, e))
        out = []
        cost = len(terms) * (u.cost + 1) - 1
        if cost <= max_cost and all(sign for _, sign, _ in terms):
            total, values = terms[0][2], terms[0][0].copy()
            for v, sign, e in terms[1:]:
                total, values = (total + e, values + v) if sign > 0 else (total - e, values - v)
            # What cancels leaves rounding.
            if np.max(np.abs(values)) > size:
                out.append(Seed(total, cost, values, u.dimension))
        cost = len(factors) * (u.cost + 1) - 1
        if cost <= max_cost and len(factors) > 1:
            whole = Seed(factors[0][1], u.cost, factors[0][0], u.dimension)
            for v, e in factors[1:]:
                whole *= Seed(e, u.cost, v, u.dimension)
            out.append(whole)
        return [s for s in out if np.all(np.isfinite(s.values))]


def _keys(projections: Values) -> NDArray[np.int64]:
    """Keys that are the same for equal values, but for neighbours of a border: nine digits of a projection."""
    mantissa, exponent = np.frexp(np.where(np.isfinite(projections), projections, 0.0))
    return np.round(mantissa * 2**29).astype(np.int64) * 4096 + exponent
