"""Tighter enclosures from derivatives: monotonicity and the mean-value form.

Where ∂f/∂x keeps its sign on a box, f is least and greatest on the faces of x, so that x can be put there; for the variables
that are left, f(X) ⊆ f(c) + Σ ∂f/∂xᵢ(X)·(Xᵢ - cᵢ) with the midpoints c. The excess then shrinks as the square of the width of
the box, that of plain interval arithmetic only as the width.

R. E. Moore, R. B. Kearfott, M. J. Cloud, *Introduction to Interval Analysis* (2009), chapter 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from hypo.expression.analysis.derivative import derivative
from hypo.expression.analysis.intervals import FUNCTIONS, enclose
from hypo.expression.analysis.rounding import Bounds
from hypo.expression.expr import Expression

# Nodes of a formula: derivatives of larger ones cost more than the boxes that they save.
_MAX_NODES = 80
# Nodes of a derivative, for the same reason.
_MAX_SLOPE_NODES = 300
# Variables, each of which has a derivative.
_MAX_VARIABLES = 10


@lru_cache(maxsize=1024)
def slopes(e: Expression) -> Mapping[str, Expression]:
    """The derivatives of ``e`` by those of its variables for which they are of moderate size."""
    if len(e) > _MAX_NODES or len(e.variables) > _MAX_VARIABLES:
        return {}
    found = {name: derivative(e, name) for name in e.variables}
    return {name: d for name, d in found.items() if len(d) <= _MAX_SLOPE_NODES}


def enclose_centred(e: Expression, boxes: Mapping[str, Bounds]) -> Bounds:
    """Bounds (n,) on ``e`` over each of n boxes, for boxes where it is defined and continuous; infinite where none are found.

    The caller must know that ``e`` is defined on the whole of each box, or is the simplified form of a formula that is. Then it
    is continuous there, and smooth but for corners, between which the derivative is enclosed.
    """
    derivatives = slopes(e)
    ends = dict(zip(e.variables, _broadcast([boxes[name] for name in e.variables]), strict=True))
    if not derivatives:
        return np.full(1, -np.inf), np.full(1, np.inf)
    n = next(iter(ends.values()))[0].shape
    # Per form, the part of the box to evaluate on: faces for the least and the greatest value, then faces and midpoints.
    least: dict[str, Bounds] = {}
    most: dict[str, Bounds] = {}
    least_centred: dict[str, Bounds] = {}
    most_centred: dict[str, Bounds] = {}
    spread: Bounds = (np.zeros(n), np.zeros(n))
    centred = np.zeros(n, dtype=bool)
    with np.errstate(all="ignore"):
        for name, (lo, hi) in ends.items():
            d_lo, d_hi = _slope(derivatives.get(name), ends, n)
            rising, falling = (
                (d_lo >= 0) & np.isfinite(lo) & np.isfinite(hi),
                (d_hi <= 0) & np.isfinite(lo) & np.isfinite(hi),
            )
            half_open = np.isfinite(lo) ^ np.isfinite(hi)
            falling &= ~rising
            # On a half-line only one face is a point, and serves one of the two bounds.
            up, down = (d_lo >= 0) & half_open, (d_hi <= 0) & half_open & ~(d_lo >= 0)
            at_lo = rising | (up & np.isfinite(lo)), falling | (down & np.isfinite(lo))
            at_hi = falling | (down & np.isfinite(hi)), rising | (up & np.isfinite(hi))
            for k, (part, part_centred) in enumerate(((least, least_centred), (most, most_centred))):
                part[name] = (np.where(at_hi[k], hi, lo), np.where(at_lo[k], lo, hi))
                part_centred[name] = part[name]
            use = (
                ~(rising | falling)
                & np.isfinite(lo)
                & np.isfinite(hi)
                & np.isfinite(d_lo)
                & np.isfinite(d_hi)
                & (lo < hi)
            )
            if not use.any():
                continue
            centred |= use
            middle = np.where(use, np.clip(lo / 2 + hi / 2, lo, hi), 0.0)
            for part_centred in (least_centred, most_centred):
                a, b = part_centred[name]
                part_centred[name] = (np.where(use, middle, a), np.where(use, middle, b))
            offset = FUNCTIONS["sub"]((np.where(use, lo, 0.0), np.where(use, hi, 0.0)), (middle, middle))
            term = FUNCTIONS["mul"]((np.where(use, d_lo, 0.0), np.where(use, d_hi, 0.0)), offset[:2])
            spread = FUNCTIONS["add"](spread, term[:2])[:2]
        forms = [least, most, least_centred, most_centred] if centred.any() else [least, most]
        found = enclose(
            e,
            {
                name: (np.concatenate([f[name][0] for f in forms]), np.concatenate([f[name][1] for f in forms]))
                for name in ends
            },
        )
        lows, highs = (np.broadcast_to(b, (len(forms) * n[0],)).reshape(len(forms), *n) for b in found[:2])
        lo, hi = lows[0], highs[1]
        if centred.any():
            lo = np.fmax(lo, FUNCTIONS["add"]((lows[2], lows[2]), spread).lo)
            hi = np.fmin(hi, FUNCTIONS["add"]((highs[3], highs[3]), spread).hi)
    return np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi)


def _slope(d: Expression | None, ends: Mapping[str, Bounds], n: tuple[int, ...]) -> Bounds:
    """Bounds on a derivative, infinite where it is unknown or not defined on the whole box."""
    if d is None:
        return np.full(n, -np.inf), np.full(n, np.inf)
    found = enclose(d, ends)
    return (
        np.broadcast_to(np.where(found.defined, found.lo, -np.inf), n),
        np.broadcast_to(np.where(found.defined, found.hi, np.inf), n),
    )


def _broadcast(bounds: list[Bounds]) -> list[Any]:
    flat = np.broadcast_arrays(*(np.atleast_1d(np.asarray(b, dtype=np.float64)) for pair in bounds for b in pair))
    return list(zip(flat[::2], flat[1::2], strict=True))
