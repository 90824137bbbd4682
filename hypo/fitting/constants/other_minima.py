"""Minima of a least-squares problem other than the one downhill from the given constants: where to look for them, and how.

Many points are looked at on few rows with the linear constants solved for, the best are followed downhill for some steps, and
the distinct ends, best first, are what a fit goes on from. The points are

- draws near the given values, and of the magnitudes of cells of the table;
- draws by the role of each constant (:mod:`hypo.fitting.constants.start_values`);
- these with constants that are linear beneath functions solved for (:mod:`hypo.fitting.constants.inner_linear`);
- frequencies at the peaks of spectra (:mod:`hypo.fitting.constants.periodogram`);
- for sums whose terms have constants of their own, the terms one after the other, each given the others so far, again and
  again: several peaks, waves or decays are found as they would be by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.fitting.constants.inner_linear import Beneath
from hypo.fitting.constants.parameters import Parameters, Tree
from hypo.fitting.constants.periodogram import Waves
from hypo.fitting.constants.squares import DAMPINGS, SCREEN_ROWS, Rows, Squares
from hypo.fitting.constants.start_values import Starts
from hypo.kernels import opcodes as oc

Values = NDArray[np.float64]

# Draws of either kind that are screened for each start.
SCREENED = 60
# Draws that are followed for each start.
TRIED = 4
# Steps for which they are followed.
FEW_STEPS = 20
# Minima whose sums of squares differ by a smaller share are the same one, or its mirror image.
SAME = 1e-7
# A step that gains less than this share of the sum of squares is the last.
TOLERANCE = 1e-12
# Most draws in which constants beneath functions are solved for.
MOST_SOLVED = 400
# Most draws around which spectra are taken.
MOST_SPECTRA = 8
# Rows that spectra are taken of, at most.
MANY = 20_000
# Terms in turns: starts for which there is one round.
STARTS_PER_ROUND = 6
# Most rounds.
MOST_ROUNDS = 20
# Sweeps over the terms in a round.
SWEEPS = 2
# Draws for a term.
DRAWN = 150
# Draws for a term that are followed.
FOLLOWED = 3
# Steps for which they are.
TERM_STEPS = 8


def ends(problem: Squares, start: Values, starts: int, rng: np.random.Generator) -> Iterator[tuple[float, Values]]:
    """Ends of short descents on few rows from ``starts`` times so many points: the sum of squares there and the parameters
    (n_param,), best first, of mirror images the one with the smaller constants."""
    found = Elsewhere(problem, start, starts, rng)
    tried = np.array(list(found.followed()))
    if not len(tried):
        return
    rss = problem.projected(tried, found.few)
    order = np.argsort(rss, kind="stable")
    first = 0
    while first < len(order) and rss[order[first]] < np.inf:
        level = rss[order[first]]
        last = int(np.searchsorted(rss[order], level * (1.0 + SAME), side="right"))
        last = max(last, first + 1)
        theta = min(tried[order[first:last]], key=lambda theta: _oddity(theta[problem.n_linear :]))
        yield float(level), found.waves.wrapped(theta, found.few[0]) if found.waves else theta
        first = last


def _oddity(theta: Values) -> tuple[float, int]:
    """A key that orders the images of one minimum: small constants come before large ones, positive before negative."""
    return float(f"{np.abs(theta).sum():.5g}"), int(np.count_nonzero(theta < 0))


class Elsewhere:
    """Points to begin at of one problem."""

    def __init__(self, problem: Squares, start: Values, starts: int, rng: np.random.Generator) -> None:
        self._problem, self._start, self._n, self._rng = problem, start, starts, rng
        e, columns = problem.formula, problem.columns
        self._parameters = problem.parameters
        self.waves = Waves(e, self._parameters, columns)
        n = len(problem.rows[1])
        # Rows at even distances would hide frequencies from one another.
        chosen = np.sort(rng.permutation(n)[:SCREEN_ROWS]) if self.waves and n > SCREEN_ROWS else None
        self.few: Rows = problem.few(chosen)
        self._many = problem.rows if n <= MANY else problem.few(np.sort(rng.permutation(n)[:MANY]))
        self._roles = Starts(e, self._parameters, self.few[0], columns)
        self._beneath = Beneath.of(e, self._parameters)

    def followed(self) -> Iterator[Values]:
        """Where short descents from the best points end."""
        problem = self._problem
        points = self._points()
        rss = problem.projected(points, self.few)
        order = np.argsort(rss, kind="stable")
        for theta in points[order[np.isfinite(rss[order])]][: TRIED * self._n]:
            if problem.expired:
                return
            yield problem.minimise(theta, DAMPINGS[0], FEW_STEPS, TOLERANCE, self.few)
        terms = blocks(problem.formula, self._parameters)
        if len(terms) > 1:
            for _ in range(min(max(2, self._n // STARTS_PER_ROUND), MOST_ROUNDS)):
                if problem.expired:
                    return
                yield self._by_terms(terms)

    def _points(self) -> Values:
        n = SCREENED * self._n
        drawn = self._roles.draw(n, self._start, self._rng)
        parts = [self._by_cells(n), drawn]
        if self._beneath is not None:
            solved = (self._solved(theta) for theta in drawn[:MOST_SOLVED])
            parts.append(np.array([theta for theta in solved if theta is not None]).reshape(-1, drawn.shape[1]))
        if self.waves:
            parts.append(self._at_peaks([self._start, *drawn[:MOST_SPECTRA]]))
        return np.concatenate(parts)

    def _solved(self, theta: Values) -> Values | None:
        """``theta`` with the constants beneath functions solved for."""
        assert self._beneath is not None
        problem = self._problem
        values = self._parameters.values(theta, problem.program.values)
        found = self._beneath.solved(values, self.few[0], problem.columns, *self.few[1:])
        if found is None:
            return None
        out = theta.copy()
        out[list(self._beneath.which)] = found
        return out

    def _at_peaks(self, bases: list[Values], which: list[int] | None = None) -> Values:
        """Points with the frequencies of spectra around ``bases``."""
        found: list[Values] = []
        for base in bases:
            if self._problem.expired:
                break
            found += self.waves.starts(base, *self._many, which)
        return np.array(found).reshape(-1, len(self._start))

    def _by_terms(self, terms: list[list[int]]) -> Values:
        """A point whose terms were found one after the other."""
        problem, rng = self._problem, self._rng
        theta: Values = self._roles.draw(1, self._start, rng)[0]
        for _ in range(SWEEPS):
            for k in rng.permutation(len(terms)):
                if problem.expired:
                    return theta
                points = np.concatenate([theta[None], self._roles.draw(DRAWN, theta, rng, terms[k])])
                if self.waves:
                    points = np.concatenate([points, self._at_peaks([theta], terms[k])])
                rss = problem.projected(points, self.few)
                best = points[np.argsort(rss, kind="stable")[:FOLLOWED]]
                there = np.array([problem.minimise(p, DAMPINGS[0], TERM_STEPS, TOLERANCE, self.few) for p in best])
                theta = there[int(np.argmin(problem.projected(there, self.few)))]
        return theta

    def _by_cells(self, n: int) -> Values:
        """Starting points (n, n_param): a third near the given ones, the others of the data's magnitudes.

        A parameter that is not linear is most often a place or length on some column, the inverse of one, or a pure
        number; so its magnitude is that of a cell to the power 1, -1 or 0, times a factor.
        """
        X, rng = self._problem.rows[0], self._rng
        first = self._problem.n_linear
        out = np.tile(self._start, (n, 1))
        m = len(self._start) - first
        free = out[:, first:]
        near = rng.uniform(size=n) < 1 / 3
        cells = np.abs(rng.choice(X[:, rng.integers(X.shape[1], size=200)].ravel(), (n, m)))
        cells[~(cells > 0)] = 1.0
        size = cells ** rng.choice([-1.0, 0.0, 1.0], (n, m)) * 10.0 ** rng.normal(0.0, 0.7, (n, m))
        sign = np.where(rng.uniform(size=(n, m)) < 0.3, -1.0, 1.0)
        around = free * 10.0 ** rng.normal(0.0, 0.7, (n, m)) * np.where(rng.uniform(size=(n, m)) < 0.1, -1.0, 1.0)
        out[:, first:] = np.where(near[:, None], around, sign * size)
        return out


def blocks(e: Expression, parameters: Parameters) -> list[list[int]]:
    """The parameters that are not linear, those together that stand in one term of the sum that ``e`` is."""
    tree = Tree(e)
    _, left, right = tree.links

    def curved(node: int) -> set[int]:
        own = {int(parameters.slot[i]) for i in tree.slots(node)} - {-1}
        return {p for p in own if not parameters.linear[p]}

    def terms(node: int) -> list[set[int]]:
        op = e.code[node][0]
        if op in (oc.ADD, oc.SUB):
            return terms(left[node]) + terms(right[node])
        if op == oc.NEG or (op == oc.DIV and not curved(right[node])):
            return terms(left[node])
        if op == oc.MUL and not (curved(left[node]) and curved(right[node])):
            return terms(left[node]) if curved(left[node]) else terms(right[node])
        return [curved(node)]

    out: list[set[int]] = []
    for own in filter(None, terms(len(e.code) - 1)):
        shared = [s for s in out if s & own]
        out = [s for s in out if not s & own]
        out.append(own.union(*shared))
    return [sorted(s) for s in out]
