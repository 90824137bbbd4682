"""Rational right-hand sides P/Q by implicit rates: ẋ·Q = P is linear in the coefficients of both sides.

With Q = 1 + Σ q_j m_j over one to three monomials m_j and P a sum of monomials, a view's rows give

    target ≈ Σ c_i W(g_i/Q₀) - Σ (q_j - q⁰_j) W(ẋ m_j/Q₀),

exact for every Q₀ = 1 + Σ q⁰_j m_j. Each round has the Q of the round before in the place of Q₀ (C. Sanathanan & J. Koerner
1963): at the end q = q⁰, so that errors of the smoothed rate ẋ, which stands on the right only beside q - q⁰, bias nothing. The
columns of Q are projected out, and what is left of P is a choice of terms as in any sum (compare K. Kaheman, J. N. Kutz & S. L.
Brunton's SINDy-PI, 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.dynamics.discovery.proposals import terms as families
from hypo.dynamics.discovery.proposals.sparse import on_grid
from hypo.dynamics.discovery.proposals.subsets import best_subsets, fit_columns, nats_of
from hypo.dynamics.discovery.proposals.terms import Terms, power, product
from hypo.dynamics.discovery.proposals.views import View
from hypo.expression.expr import Expression
from hypo.search.proposers.stepwise import write_sum

Values = NDArray[np.float64]

# Families of terms above, and columns up to which cubic ones join.
ABOVE = (families.LINEAR, families.QUADRATIC)
CUBIC = 2
# Columns up to which divisors have products and squares: their number grows with the fourth power.
MANY_COLUMNS = 4
# Divisors that are tried.
MOST_SETS = 60
# Terms above at most, and sums kept of each length for one divisor.
LONGEST = 4
OF_EACH = 2
# Rounds in which a divisor settles.
ROUNDS = 4
# A step that would bring the divisor below this share of its largest value is shortened, so many times.
LEAST = 0.02
HALVINGS = 4
# Nats of a divisor, and of each further monomial in it: the order of candidates only.
DIVISOR = 5.0
# Candidates that are handed on.
KEPT = 40
_OPERATORS = frozenset("+-*/")


@dataclass(frozen=True)
class _Found:
    """A law P/Q and what it scores, in nats."""

    nats: float
    subset: NDArray[np.int64]
    c: Values
    monomials: tuple[int, ...]
    q: Values


def rational_laws(
    terms: Terms, columns: Sequence[str], costs: Mapping[str, float], view: View, clock: Clock
) -> Iterator[tuple[Expression, str]]:
    """Right-hand sides P/Q, likeliest first, and where they come from.

    Args:
        terms: the terms of which P may be made are among them.
        columns: names of columns.
        costs: code lengths of terms by form, nats.
        view: rows to be met.
        clock: ends the search; what was found stays.
    """
    above = terms.within((*ABOVE, *([families.POLYNOMIAL] if len(columns) <= CUBIC else [])))
    if not len(above):
        return
    search = _Search(terms, above, columns, costs, view)
    found: list[_Found] = []
    for monomials in search.divisors():
        if clock.expired:
            break
        found += search.laws(monomials, clock)
    found.sort(key=lambda f: f.nats)
    for f in found[:KEPT]:
        yield search.write(f), f"{view.name} implicit"


class _Search:
    """Columns of one view that all divisors share."""

    def __init__(
        self, terms: Terms, above: NDArray[np.int64], columns: Sequence[str], costs: Mapping[str, float], view: View
    ) -> None:
        self.view = view
        self.above = [terms.expressions[i] for i in above]
        self.form = terms.numbers[above]
        self.cost = np.array([costs[terms.forms[i]] for i in above])
        self.G, _ = on_grid(self.above, columns, view)
        self.powers = list(_monomials(len(columns)))
        leaves = [Expression.variable(n) for n in columns]
        self.below = [
            product([power(leaf, p) for leaf, p in zip(leaves, each, strict=True) if p]) for each in self.powers
        ]
        self.M, _ = on_grid(self.below, columns, view)

    def divisors(self) -> Iterator[tuple[int, ...]]:
        """Sets of monomials beside the 1 of a divisor, short ones first: one, two, and x, y and their product."""
        usable = [i for i, m in enumerate(self.M) if np.all(np.isfinite(m)) and np.ptp(m) > 0]
        degree = [sum(each) for each in self.powers]
        pairs = sorted(combinations(usable, 2), key=lambda pair: sum(degree[i] for i in pair))
        triples = [
            (i, j, k)
            for i, j in combinations(usable, 2)
            for k in usable
            if degree[i] == degree[j] == 1 and degree[k] == 2 and self.powers[k] == _sum(self.powers[i], self.powers[j])
        ]
        yield from list(chain(((i,) for i in usable), triples, pairs))[:MOST_SETS]

    def laws(self, monomials: tuple[int, ...], clock: Clock) -> list[_Found]:
        """The best laws with this divisor."""
        B, q = self.M[list(monomials)], np.zeros(len(monomials))
        out: list[_Found] = []
        for _ in range(ROUNDS):
            Q = 1.0 + q @ B
            A, N = self.view.of(self.G / Q), self.view.of(-self.view.rate * B / Q)
            basis = np.linalg.svd(N, full_matrices=False)[2]
            free, target = A - (A @ basis.T) @ basis, self.view.target - basis.T @ (basis @ self.view.target)
            found = best_subsets(free, target, self.cost, self.form, LONGEST, clock)
            out = [self._fitted(s, A, N, monomials, q) for each in found for s in each[:OF_EACH]]
            if not out:
                return []
            step = min(out, key=lambda f: f.nats).q - q
            q = _shortened(q, step, B)
        return [f for f in out if np.min(1.0 + f.q @ B) > 0]

    def _fitted(self, subset: NDArray[np.int64], A: Values, N: Values, monomials: tuple[int, ...], q: Values) -> _Found:
        both = np.vstack([A[subset], N])
        c, left = fit_columns(both, self.view.target)
        nats = nats_of(left, self.view.target) + float(self.cost[subset].sum()) + DIVISOR * len(monomials)
        n = len(subset)
        return _Found(nats, subset, c[:n], monomials, q + c[n:])

    def write(self, f: _Found) -> Expression:
        """The law as a formula, all its numbers free but the 1 of the divisor."""
        c = np.where(f.c == 0, 1e-300, f.c)
        below = Expression.constant(1.0)
        for q, m in zip(f.q.tolist(), f.monomials, strict=True):
            size = Expression.constant(abs(q), free=True) * self.below[m]
            below = below + size if q >= 0 else below - size
        return write_sum(c, [self.above[i] for i in f.subset], _OPERATORS) / below


def _monomials(n: int) -> Iterator[tuple[int, ...]]:
    """Exponents of the monomials of divisors: columns; with few of them squares and products; with one alone cubes, too."""
    degrees = (1, 2, 3, 4) if n == 1 else (1, 2) if n <= MANY_COLUMNS else (1,)
    for degree in degrees:
        for which in combinations_with_replacement(range(n), degree):
            yield tuple(which.count(i) for i in range(n))


def _sum(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i + j for i, j in zip(a, b, strict=True))


def _shortened(q: Values, step: Values, B: Values) -> Values:
    """The next coefficients of a divisor: the step halved until the divisor keeps off zero along the paths."""
    for _ in range(HALVINGS):
        Q = 1.0 + (q + step) @ B
        if np.min(Q) > LEAST * np.max(np.abs(Q)):
            return np.asarray(q + step)
        step = step / 2
    return q
