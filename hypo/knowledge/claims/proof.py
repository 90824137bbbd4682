"""Settling claims: measured at points, refuted with a witness, or proved over the whole domain.

Proofs bisect the domain until interval arithmetic shows the claim on every part (branch and prune), all parts of one generation
together. What is proved holds for real numbers: inequalities up to the slack of their comparison, 1e-9 of its scale.

R. E. Moore, R. B. Kearfott, M. J. Cloud, *Introduction to Interval Analysis* (2009), chapters 5 and 9.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.expression.analysis.intervals import Enclosure
from hypo.knowledge.claims.claim import (
    PROVED,
    REFUTED,
    UNREFUTED,
    Claim,
    Flags,
    Points,
    Sides,
    Values,
    Verdict,
    Witness,
    badness,
)
from hypo.knowledge.claims.domain import Domain, middle
from hypo.knowledge.claims.three_valued import TINY

_DOUBTFUL = 1e-6
"""Margins nearer to 0 than this may be rounding, and are looked at again by interval arithmetic."""
_UNSTABLE = 0.05
"""The part of themselves by which margins made of rounding errors change from one float to the next."""
_EPS = float(np.finfo(np.float64).eps)
"""The relative distance between neighbouring floats."""
_STARTS = 6
"""Worst points from which a search for a worse one starts."""
_TRIALS = 16
"""Trials around each of them in a round."""
_ROUNDS = 12
"""Rounds of that search, each half as wide as the one before."""
_BATCH = 1024
"""Boxes that are looked at together."""
_NARROW = 2.0**-36
"""Boxes narrower than this, relative to their numbers, are not divided."""
_NARROW_BELOW = 2.0**-12
"""Numbers below this part of the domain count as that large for ``_NARROW``."""


def check_claim(
    claim: Claim,
    domain: Domain,
    *,
    points: int = 1024,
    proof: bool = True,
    budget: int = 20_000,
    deadline: float | None = 0.2,
    seed: int = 0,
) -> Verdict:
    """The verdict on ``claim`` over ``domain``: at ``points`` points and, with ``proof``, on the whole of it.

    A point refutes the claim when its margin is negative or a side is undefined there; what could be rounding or overflow
    counts only if interval arithmetic confirms it. A side that neither floats nor intervals can tell (an integral that
    quadrature does not find) counts as violated, but leaves the claim unrefuted. The amount is
    :func:`~hypo.knowledge.claims.claim.violation` of the margins at the points, its maximum taken over what a proof or a
    search for a worse witness found as well. Without ``proof`` the witness is the worst of the points; with it,
    witnesses are confirmed where intervals can do so. A proof gives up after ``budget`` boxes or ``deadline`` seconds
    (None: no limit); the verdict is then that of the points.

    Raises ValueError when a variable of the claim has no range.
    """
    domain = domain.of(claim.names)
    sample = domain.sample(points, seed)
    margins = claim.margin(sample)
    shown = np.zeros(len(margins), dtype=bool)
    if not (margins >= 0).all():
        margins, shown = without_doubtful(claim, sample, margins)
    held = bool((margins >= 0).all())
    measured = Verdict(UNREFUTED, 0.0, len(margins)) if held else _judge_points(claim, sample, margins, shown)
    if not proof:
        return measured
    claim = claim.fix_scale(sample)
    proved, breach = False, None
    if not held:
        breach = _search(claim, domain, sample, margins, seed)
    if breach is None:
        proved, breach = _prove(claim, domain, budget, None if deadline is None else time.monotonic() + deadline)
    if breach is not None:
        return _refute(claim, breach, 0, claim.margin(breach), margins)
    return Verdict(PROVED, 0.0, len(margins)) if proved else measured


def _judge_points(claim: Claim, points: Points, margins: Values, shown: Flags) -> Verdict:
    """The verdict at the points: margins that are no more than undefined refute nothing unless they are ``shown`` to be."""
    verdict = _refute(claim, points, int(np.argmin(_rank(margins))), margins, margins)
    return verdict if (shown | (margins < 0)).any() else replace(verdict, level=UNREFUTED)


def _refute(claim: Claim, points: Points, index: int, found: Values, margins: Values) -> Verdict:
    """The verdict with the witness ``index`` of ``points``, where margins are ``found``, after ``margins`` at the sample."""
    q, worst = badness(margins), float(badness(found[index : index + 1])[0])
    amount = (max(float(q.mean()), worst / len(q)) + max(float(q.max()), worst)) / 2
    at = {name: float(values[index]) for name, values in points.items()}
    return Verdict(REFUTED, amount, len(q), Witness(at, with_note(claim.sides(points, index), claim)))


def with_note(sides: Sides, claim: Claim) -> Sides:
    """``sides`` with a note on which of them has no value."""
    lost = [name for name, side in (("left", sides.left), ("right", sides.right)) if not math.isfinite(side)]
    if not lost or sides.note:
        return sides
    which = "both sides have" if len(lost) == 2 else f"the {lost[0]} side has"
    return replace(sides, note=f"{which} no value here" + (", or an integral was not found" if claim.work > 1 else ""))


# --- points -----------------------------------------------------------------------------------------------------------


def _rank(margins: Values) -> Values:
    """Margins for choosing a witness: an undefined side says less than two numbers."""
    return np.where(np.isnan(margins), -TINY, margins)


def without_doubtful(claim: Claim, points: Points, margins: Values) -> tuple[Values, Flags]:
    """``margins`` with 0 where a breach may be rounding, or NaN overflow, and interval arithmetic does not confirm it; and
    where it did."""
    scaled = claim.fix_scale(points)
    shown = np.zeros(len(margins), dtype=bool)
    which = np.flatnonzero(~(margins >= 0) & (~(margins < -_DOUBTFUL) | _is_noise(scaled, points, margins)))
    if not len(which):
        return margins, shown
    few = {name: values[which] for name, values in points.items()}
    sure, unknown = _confirm(scaled, few, margins[which])
    shown[which] = sure
    margins = margins.copy()
    margins[which[~(sure | unknown)]] = 0.0
    return margins, shown


def _is_noise(claim: Claim, points: Points, margins: Values) -> bool:
    """True if the worst margins are made of rounding errors: they change as a whole when points move by a few units in the
    last place. Where both sides vanish but for rounding, their scale is rounding too."""
    worst = np.argsort(_rank(margins), kind="stable")[:_TRIALS]
    worst = worst[margins[worst] < -_DOUBTFUL]
    if not len(worst) or not points:
        return False
    few = {
        name: np.concatenate([values[worst] * (1 + k * _EPS) for k in (0, -2, 3)]) for name, values in points.items()
    }
    at, below, above = claim.margin(few).reshape(3, -1)
    with np.errstate(invalid="ignore"):
        change = np.nan_to_num(np.fmax(np.abs(below - at), np.abs(above - at)))
    return bool(np.median(change / np.abs(margins[worst])) > _UNSTABLE)


def _confirm(claim: Claim, points: Points, margins: Values) -> tuple[Flags, Flags]:
    """At which points interval arithmetic shows that the claim is false or undefined, and at which it is undefined for all that
    floats and intervals tell. Where intervals know nothing at all, margins beyond doubt decide."""
    e = claim.enclose({name: (values, values) for name, values in points.items()})
    surely = np.isnan(e.lo) | (e.hi < 0)
    ignorant = (e.lo == -np.inf) & (e.hi == np.inf)
    sure = np.broadcast_to(surely | (ignorant & (margins < -_DOUBTFUL)), margins.shape)
    # Overflow and rounding leave intervals that are defined or finite; where quadrature fails only they can tell.
    told = e.defined & (e.lo >= 0) if claim.work > 1 else e.defined | (e.lo > -np.inf)
    return sure, np.broadcast_to(~np.asarray(told, dtype=bool), margins.shape) & np.isnan(margins) & ~sure


def _search(claim: Claim, domain: Domain, points: Points, margins: Values, seed: int) -> Points | None:
    """A point (arrays of length 1) where the claim is worst, sought from the worst of ``points``; None if none is confirmed."""
    if not points:
        return points if _confirm(claim, points, margins)[0].all() else None
    rng = np.random.default_rng(seed)
    starts = np.argsort(_rank(margins), kind="stable")[:_STARTS]
    starts = starts[~(margins[starts] >= 0)]
    lo, hi = (np.array(ends)[:, None, None] for ends in zip(*domain.ranges.values(), strict=True))
    first = best = np.array([points[name][starts] for name in domain.ranges])
    least = _rank(margins[starts])
    step = 0.5
    for _ in range(_ROUNDS):
        # Every other trial steps in proportion to the number itself, to move well over orders of magnitude.
        widths = np.broadcast_to(np.minimum(hi - lo, 1 + np.abs(best[:, :, None])), (*best.shape, _TRIALS)).copy()
        widths[:, :, ::2] = np.where(np.isinf(hi - lo), widths[:, :, ::2], hi - lo)
        widths[:, :, 1::2] = np.abs(best[:, :, None])
        trials = np.clip(best[:, :, None] + step * widths * rng.uniform(-1, 1, widths.shape), lo, hi)
        found = _rank(claim.margin(_points(domain, trials.reshape(len(trials), -1)))).reshape(trials.shape[1:])
        which = found.argmin(axis=1)
        rows = np.arange(len(which))
        better = found[rows, which] < least
        best = np.where(better, trials[:, rows, which], best)
        least = np.where(better, found[rows, which], least)
        step /= 2
    return _worst_confirmed(claim, _points(domain, np.concatenate([best, first], axis=1)))


def _worst_confirmed(claim: Claim, points: Points) -> Points | None:
    margins = claim.margin(points)
    sure = ~(margins >= 0) & _confirm(claim, points, margins)[0]
    if not sure.any():
        return None
    worst = int(np.argmin(np.where(sure, _rank(margins), np.inf)))
    return {name: values[worst : worst + 1] for name, values in points.items()}


def _points(domain: Domain, rows: Values) -> Points:
    return dict(zip(domain.ranges, np.ascontiguousarray(rows), strict=True))


# --- boxes ------------------------------------------------------------------------------------------------------------


def _prove(claim: Claim, domain: Domain, budget: int, until: float | None) -> tuple[bool, Points | None]:
    """(whether the claim is shown on the whole domain, a point where it fails that came up on the way)."""
    lo, hi = (np.array([ends[k] for ends in domain.ranges.values()], dtype=np.float64).reshape(-1, 1) for k in (0, 1))
    extent = hi - lo
    spent = 0
    while lo.shape[1]:
        if spent + lo.shape[1] > budget or (until is not None and time.monotonic() > until):
            return False, None
        now, later = slice(None, _BATCH), slice(_BATCH, None)
        part_lo, part_hi = lo[:, now], hi[:, now]
        spent += part_lo.shape[1]
        least, most, defined = _enclose(claim, domain, part_lo, part_hi)
        broken = np.isnan(least) | (most < 0)
        if broken.any():
            i = int(np.argmax(broken))
            return False, _points(domain, middle(part_lo[:, i : i + 1], part_hi[:, i : i + 1]))
        rest = ~(defined & (least >= 0))
        part_lo, part_hi = part_lo[:, rest], part_hi[:, rest]
        if not part_lo.shape[1]:
            lo, hi = lo[:, later], hi[:, later]
            continue
        if not len(extent):
            return False, None
        centre = middle(part_lo, part_hi)
        by, breach = _direction(claim, domain, part_lo, part_hi, centre, extent)
        if breach is not None or by is None:
            return False, breach
        columns = np.arange(len(by))
        upper, lower = part_lo.copy(), part_hi.copy()
        upper[by, columns] = lower[by, columns] = centre[by, columns]
        lo = np.concatenate([lo[:, later], part_lo, upper], axis=1)
        hi = np.concatenate([hi[:, later], lower, part_hi], axis=1)
    return True, None


def _enclose(claim: Claim, domain: Domain, lo: Values, hi: Values) -> Enclosure:
    e = claim.enclose(dict(zip(domain.ranges, zip(lo, hi, strict=True), strict=True)))
    return Enclosure(*(np.broadcast_to(b, lo.shape[1:]) for b in e))


def _direction(
    claim: Claim, domain: Domain, lo: Values, hi: Values, centre: Values, extent: Values
) -> tuple[NDArray[np.int64] | None, Points | None]:
    """Along which variable to divide each box: the one along which margins change most, or that is wide; None when a box is too
    narrow to divide. The points where margins were taken may show a breach, which comes second."""
    d, m = lo.shape
    star = np.repeat(centre[None], 2 * d + 1, axis=0)
    for i in range(d):
        star[2 * i + 1, i] = np.where(np.isinf(lo[i]), middle(lo[i], centre[i]), lo[i])
        star[2 * i + 2, i] = np.where(np.isinf(hi[i]), middle(centre[i], hi[i]), hi[i])
    flat = np.moveaxis(star, 1, 0).reshape(d, -1)
    margins = claim.margin(_points(domain, flat))
    worst = np.argsort(_rank(margins), kind="stable")[:_STARTS]
    worst = worst[~(margins[worst] >= 0)]
    if len(worst):
        breach = _worst_confirmed(claim, _points(domain, flat[:, worst]))
        if breach is not None:
            return None, breach
    margins = np.nan_to_num(margins.reshape(2 * d + 1, m), nan=0.0)
    change = np.maximum(np.abs(margins[1::2] - margins[0]), np.abs(margins[2::2] - margins[0]))
    width = hi - lo
    with np.errstate(all="ignore"):
        relative = np.where(
            np.isinf(width), 1.0, width / np.where(np.isinf(extent), width + 1 + np.abs(centre), extent)
        )
        relative = np.nan_to_num(relative)
        size = np.where(np.isinf(width), 0.0, np.maximum(np.abs(lo), np.abs(hi)))
        narrow = width <= _NARROW * np.maximum(size, np.where(np.isinf(extent), 0.0, extent) * _NARROW_BELOW)
        share = np.nan_to_num(change / change.max(axis=0)) + 0.1 * relative / np.maximum(relative.max(axis=0), TINY)
    share[narrow | (centre <= lo) | (centre >= hi)] = -1.0
    by = share.argmax(axis=0)
    return (None if (share.max(axis=0) < 0).any() else by), None
