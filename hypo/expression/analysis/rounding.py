"""Bounds rounded outward: what the enclosures of single operators (:mod:`hypo.expression.analysis.intervals`) are made with."""

from __future__ import annotations

from typing import Any

import numpy as np

Bounds = tuple[Any, Any]

EPSILON = float(np.finfo(np.float64).eps)
TINY = 5e-324
"""The least number above 0."""
LARGEST = float(np.finfo(np.float64).max)
ONE_ROUNDING = 1.0
"""The error of one rounding, in units of the last place."""
LIBRARY_ERROR = 5.0
"""That of a library function; NumPy states at most 4."""
FAR = 1e8
"""Beyond it the position within a period is too uncertain to use."""


def outward(lo: Any, hi: Any, ulps: float, least: float = -np.inf, most: float = np.inf) -> Bounds:
    """Bounds moved outward by ``ulps`` units in the last place, within [least, most]."""
    if ulps == ONE_ROUNDING:
        down, up = np.nextafter(lo, -np.inf), np.nextafter(hi, np.inf)
    else:
        # Below the normal numbers the relative part vanishes; the unit there is TINY.
        down = np.nextafter(lo - (ulps - 1) * (EPSILON * np.abs(lo) + TINY), -np.inf)
        up = np.nextafter(hi + (ulps - 1) * (EPSILON * np.abs(hi) + TINY), np.inf)
        # "inf - inf" has made NaN of infinite bounds. One on the inner side is overflow: the value is large, but finite.
        down = np.where(np.isinf(lo), np.minimum(lo, LARGEST), down)
        up = np.where(np.isinf(hi), np.maximum(hi, -LARGEST), up)
    if least > -np.inf:
        down, up = np.maximum(down, least), np.maximum(up, least)
    if most < np.inf:
        down, up = np.minimum(down, most), np.minimum(up, most)
    return down, up


def is_short(x: Any) -> Any:
    """True if ``x`` has at most 24 significant bits: products of two such numbers are exact."""
    return x.astype(np.float32) == x


def everywhere(u: Bounds) -> Any:
    """An array of the shape of ``u`` that is True throughout: the operator is defined at all points of the box."""
    return np.ones(np.shape(u[0]), dtype=bool)


def keep_exact(bounds: Bounds, u: Bounds, at: float, value: float) -> Bounds:
    """``bounds`` with the exact ``value`` where an end of ``u`` is ``at``: there was nothing to round."""
    return np.where(u[0] == at, value, bounds[0]), np.where(u[1] == at, value, bounds[1])


def restricted(u: Bounds, least: float, most: float) -> tuple[Any, Any, Any]:
    """(lo, hi, whether all of u is inside) of the part of ``u`` within [least, most]; NaN if there is none."""
    outside = (u[0] > most) | (u[1] < least)
    lo = np.where(outside, np.nan, np.clip(u[0], least, most))
    hi = np.where(outside, np.nan, np.clip(u[1], least, most))
    return lo, hi, (u[0] >= least) & (u[1] <= most)


def corners(values: list[Any]) -> Bounds:
    """Least and greatest of the ``values`` at the corners of a box; NaN where one of them is."""
    return np.minimum.reduce(values), np.maximum.reduce(values)


def extremes(values: Any, exact: Any) -> Bounds:
    """Least and greatest over the first two axes, rounded outward by one unit but for the ``exact`` ones."""
    low = np.where(exact, values, np.nextafter(values, -np.inf)).min(axis=(0, 1))
    high = np.where(exact, values, np.nextafter(values, np.inf)).max(axis=(0, 1))
    return low, high


def pairs_of_ends(u: Bounds, v: Bounds) -> tuple[Any, Any]:
    """The ends of ``u`` along the first axis, those of ``v`` along the second."""
    extra = max(u[0].ndim, v[0].ndim)
    a, b = np.stack(u), np.stack(v)
    return (
        a.reshape((2, 1, *(1,) * (extra - u[0].ndim), *a.shape[1:])),
        b.reshape((1, 2, *(1,) * (extra - v[0].ndim), *b.shape[1:])),
    )
