"""Long sums: y, or y behind a link, as a sum of many terms with fitted coefficients, by stepwise regression.

Scans score all sums of two terms and grow the best to four. A sum of eight needs another way in: all terms of a dictionary are
fitted at once, or as many as forward selection brings (orthogonal least squares: S. Chen, C. Cowan & P. Grant 1991), and the
term that costs least goes (backward elimination), until none is left. Every length met on the way is one candidate, and the
score says which is best. Dictionaries are all monomials of the columns up to a degree, and members of a library with their
products.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.problem.surrogate import multi_indices
from hypo.search.library.context import LibraryView
from hypo.search.library.pi_groups import monomial
from hypo.search.proposers.base import Turn, Workspace
from hypo.search.scan.race import free_term
from hypo.search.scan.targets import Target, links

# Turns: seconds, and what is regressed on what.
TURNS = ((0.3, "monomials"), (2.0, "monomials behind links"), (3.0, "members"))
# Terms that are fitted at once.
MOST_TERMS = 150
# The same as a share of the rows.
SHARE = 0.25
# The highest degree of monomials.
MOST_DEGREE = 8
# Members in a dictionary that is fitted as a whole, and those of them whose products join.
FEW = (60, 10)
# The same of one that forward selection takes terms from: it goes astray among terms that are alike.
MANY = (150, 30)
# Terms that forward selection takes; elimination does not go astray, but takes few.
FORWARD = 20
# A column is left out whose part that is not in the span of those before it is below this share of it.
INDEPENDENT = 1e-10
# Formulas from each dictionary and target.
BEST = 2
# Formulas in all.
PROPOSED = 8


@dataclass(frozen=True)
class Dictionary:
    """Terms of a sum, and their values (n_term, n_row)."""

    terms: tuple[Expression, ...]
    values: NDArray[np.float64]

    def of(self, kept: NDArray[np.int64]) -> Dictionary:
        """Some of the terms."""
        return Dictionary(tuple(self.terms[k] for k in kept), self.values[kept])

    def within(self, operators: frozenset[str]) -> Dictionary:
        """The terms made of these operators."""
        fits = [
            all(ops.BY_OPCODE[op].name in operators for op, _ in e.code if op >= oc.FIRST_UNARY) for e in self.terms
        ]
        return self.of(np.flatnonzero(fits))


class Stepwise:
    """The proposer of long sums."""

    def __init__(self, workspace: Workspace, name: str = "stepwise") -> None:
        self.name = name
        self._ctx, self._library, self._report = workspace.context, workspace.library, workspace.report
        allowed = self._ctx.problem.allowed
        able = workspace.settings.fit_constants and not allowed.isdisjoint("+-") and not allowed.isdisjoint("*/")
        self._turn = 0 if able else len(TURNS)

    @property
    def cost(self) -> float:
        """Seconds of the next turn."""
        return TURNS[self._turn][0] if self._turn < len(TURNS) else math.inf

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Sums whose coefficients are to be fitted, those of the best approximate score first."""
        _, kind = TURNS[self._turn]
        self._turn += 1
        if turn.done:
            return
        self._report(f"{self.name}: sums of {kind}")
        whole, large = self._dictionaries(kind, turn)
        # Coefficients may carry units, at a price: dimensions do not prune here.
        start = Target(self._ctx.y, None, weighted=True)
        found: list[tuple[float, int, Expression]] = []
        for t in [start] if kind == "monomials" else [start, *links(start, self._ctx.problem.allowed)]:
            root = t.fit_root(self._ctx.root, False)
            dictionaries = list(whole)
            if large is not None:
                dictionaries.append(
                    large.of(select_forward(large.values * root, t.fitted * root, min(FORWARD, self._most)))
                )
            for order, dictionary in enumerate(dictionaries):
                if turn.done:
                    return
                found += [(score, order, e) for score, e in self._sums(t, dictionary, turn)]
        yield from (e for _, _, e in sorted(found, key=lambda f: f[:2])[:PROPOSED])

    @property
    def _most(self) -> int:
        """Terms that the rows allow to fit at once."""
        return int(min(MOST_TERMS, SHARE * len(self._ctx.y)))

    def _dictionaries(self, kind: str, turn: Turn) -> tuple[list[Dictionary], Dictionary | None]:
        """Those that are fitted as a whole, and one that terms are selected from."""
        allowed = self._ctx.problem.allowed
        if kind == "members":
            few = self._members(turn, *FEW).within(allowed)
            return [few.of(np.arange(min(len(few.terms), self._most)))], self._members(turn, *MANY).within(allowed)
        return [d.within(allowed) for d in self._monomials()], None

    def _sums(self, t: Target, dictionary: Dictionary, turn: Turn) -> list[tuple[float, Expression]]:
        """(Approximate score, formula) of the best lengths that elimination goes through."""
        from hypo.kernels.cpu.pair_scan import apply_steps

        ctx = self._ctx
        root = t.fit_root(ctx.root, False)
        steps = t.kernel_steps()
        length = np.array([len(e) + 3 for e in dictionary.terms])
        frame = len(t.wrap(Expression.constant(1.0)))
        path = []
        for kept, coefficients in eliminate_backward(dictionary.values * root, t.fitted * root):
            if turn.clock.expired:
                break
            size = frame + int(length[kept].sum())
            if size > ctx.problem.max_complexity:
                continue
            value = coefficients @ dictionary.values[kept]
            apply_steps(value, *steps, len(value))
            rss = float(np.sum((ctx.root * (ctx.y - value)) ** 2))
            if math.isfinite(rss):
                score = float(ctx.scorer.approximate(np.array([rss]), np.array([float(size)]), len(ctx.y))[0])
                path.append((score, kept, coefficients))
        turn.clock.scored += len(path)
        best = sorted(path, key=lambda p: p[0])[:BEST]
        allowed = ctx.problem.allowed
        return [(s, t.wrap(write_sum(c, [dictionary.terms[k] for k in kept], allowed))) for s, kept, c in best]

    def _monomials(self) -> Iterator[Dictionary]:
        """For each degree from 2 on: all monomials up to it, with 1, as long as there are not too many."""
        X, columns = self._ctx.X, self._ctx.problem.columns
        leaves = [Expression.variable(n) for n in columns]
        n_var = len(columns)
        for degree in range(2, MOST_DEGREE + 1):
            if comb(n_var + degree, degree) > self._most:
                return
            exponents = multi_indices(n_var, degree)
            terms = [monomial(leaves, e) if any(e) else Expression.constant(1.0) for e in exponents.tolist()]
            with np.errstate(all="ignore"):
                values = np.array([np.prod(X.T**e, axis=1) for e in exponents])
            if not np.all(np.isfinite(values)):
                return
            yield Dictionary(tuple(terms), values)

    def _members(self, turn: Turn, count: int, paired: int) -> Dictionary:
        """The ``count`` simplest members, products of two of the ``paired`` simplest, and 1."""
        ctx = self._ctx
        self._library.grow(2 * count, max_cost=ctx.problem.max_complexity, deadline=turn.clock.deadline)
        view = LibraryView(self._library, ctx.X, self._library.count, ctx.problem.max_complexity - 2)
        seeds = [self._library.member(int(m)) for m in view.members[:count]]
        seeds += [f * g for f, g in combinations_with_replacement(seeds[:paired], 2)]
        held = LibraryView(
            self._library.make_holding(seeds, deadline=turn.clock.deadline), ctx.X, 10**9, ctx.problem.max_complexity
        )
        values = held.rows.values(np.arange(len(held.members)))
        fine = np.all(np.isfinite(values), axis=1)
        terms = [held.rows.library.expression(int(m)) for m in held.members[fine]]
        return Dictionary((Expression.constant(1.0), *terms), np.vstack([np.ones(len(ctx.y)), values[fine]]))


def write_sum(coefficients: NDArray[np.float64], terms: Sequence[Expression], operators: frozenset[str]) -> Expression:
    """Σ c·u with the coefficients to be fitted, in the operators there are: with − they are positive, as far as one term with a
    positive one can come first; without × they are divided by."""

    def part(c: float, u: Expression) -> Expression:
        if "*" in operators or u == Expression.constant(1.0):
            return free_term(c, u)
        return u / Expression.constant(1.0 / c, free=True)

    pairs = sorted(zip(coefficients.tolist(), terms, strict=True), key=lambda p: p[0] < 0)
    total = part(*pairs[0])
    for c, u in pairs[1:]:
        subtract = "-" in operators and (c < 0 or "+" not in operators)
        total = total - part(-c, u) if subtract else total + part(c, u)
    return total


def eliminate_backward(
    A: NDArray[np.float64], t: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Backward elimination: t ≈ Σ c_k A_k by least squares for the rows of ``A`` (n_term, n_row), then without the term whose
    absence adds least to the squares, c_k²/(AAᵀ)⁻¹_kk, and so on. Yields the indices that are left, and their coefficients."""
    size = np.linalg.norm(A, axis=1)
    kept = np.flatnonzero((size > 0) & np.isfinite(size))
    # All that is asked of the rows is in the triangle; t is its last column.
    whole = np.asarray(np.linalg.qr(np.vstack([A[kept] / size[kept, None], t]).T, mode="r"))
    R, z = whole[:, :-1], whole[:, -1]
    place = np.arange(len(kept))
    while len(place):
        q, r = np.linalg.qr(R[:, place])
        independent = np.abs(np.diag(r)) > INDEPENDENT
        if not np.all(independent):
            place = place[independent]
            continue
        inverse = np.linalg.solve(r, np.eye(len(place)))
        c = inverse @ (q.T @ z)
        index = kept[place]
        yield index, c / size[index]
        place = np.delete(place, np.argmin(c**2 / np.sum(inverse**2, axis=1)))


def select_forward(A: NDArray[np.float64], t: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Forward selection by orthogonal least squares: the rows of ``A`` (n_term, n_row), one after the other, that take most
    from what is left of ``t``; at most ``count``."""
    size = np.linalg.norm(A, axis=1)
    fine = np.flatnonzero((size > 0) & np.isfinite(size))
    unit, rest = A[fine] / size[fine, None], t.copy()
    length = np.ones(len(fine))
    chosen: list[int] = []
    while len(chosen) < min(count, len(fine)):
        with np.errstate(all="ignore"):
            gain = np.where(length > INDEPENDENT, (unit @ rest) ** 2 / length, -1.0)
        k = int(np.argmax(gain))
        if gain[k] <= 0:
            break
        chosen.append(k)
        q = unit[k] / math.sqrt(length[k])
        # What is chosen leaves all others, and its own row becomes nothing.
        unit -= np.outer(unit @ q, q)
        length = np.sum(unit**2, axis=1)
        rest = rest - (rest @ q) * q
    return fine[np.array(chosen, np.int64)]
