"""Zeros of a law: points rarely hit a zero, so it is looked for between points of different sign."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import PROVED, REFUTED, Points, Sides, Values, Verdict, Witness
from hypo.knowledge.claims.claim_forms import size_of, values_at
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.proof import check_claim

_ZERO = Expression.constant(0.0)


def check_never_zero(law: Law, domain: Domain, *, points: int, proof: bool) -> Verdict:
    """The verdict on ``f != 0`` over the domain: f keeps its sign, or changes it only across poles.

    Where f has both signs, it is followed from a positive point to a negative one; what is met between them is a zero when f
    gets small there.
    """
    f = law.expression
    signs = [
        check_claim(Comparison(f, sign, _ZERO), domain, points=points, proof=proof, deadline=law.deadline)
        for sign in (">", "<")
    ]
    kept = min(signs, key=lambda v: (v.amount, v.level != PROVED))
    if kept.level != REFUTED:
        return kept
    verdict = check_claim(Comparison(f, "!=", _ZERO, tolerance=0.0), domain, points=points, proof=False)
    if verdict.level == REFUTED:
        return replace(verdict, amount=max(verdict.amount, kept.amount))
    sample = domain.of(frozenset(f.variables)).sample(points)
    zero = _zero_between(f, sample, values_at(f, sample))
    if zero is None:
        return verdict
    value = float(values_at(f, {name: np.array([v]) for name, v in zero.items()})[0])
    return Verdict(REFUTED, kept.amount, points, Witness(zero, Sides(value, "!=", 0.0)))


def _zero_between(f: Expression, sample: Points, values: Values) -> dict[str, float] | None:
    """A point where f is nearly 0, by bisection between points of different sign."""
    above, below = np.flatnonzero(values > 0), np.flatnonzero(values < 0)
    n = min(len(above), len(below), 16)
    size = size_of(values)
    if n == 0:
        return None
    low = {name: v[below[:n]].copy() for name, v in sample.items()}
    high = {name: v[above[:n]].copy() for name, v in sample.items()}
    found = np.zeros(n)
    for _ in range(60):
        middle = {name: low[name] / 2 + high[name] / 2 for name in low}
        found = values_at(f, middle)
        rises = found > 0
        for name, value in middle.items():
            high[name] = np.where(rises, value, high[name])
            low[name] = np.where(rises, low[name], value)
    best = int(np.nanargmin(np.abs(found))) if not np.isnan(found).all() else 0
    return {name: float(v[best]) for name, v in middle.items()} if abs(found[best]) <= 1e-9 * size else None
