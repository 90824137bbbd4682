"""Profile-likelihood intervals of constants: how far each can be moved while the others follow it.

For a constant θ_i the profile is the least misfit with θ_i held, all others fitted anew. With R(θ_i) the loss there
(:mod:`hypo.likelihood.base`: the weighted residual sum of squares, or twice the minus log likelihood), R̂ the least of all, k
constants and W = Σ w rows, the interval of a level holds all θ_i with

    noise unknown   (R(θ_i) - R̂)/(R̂/ν) ≤ F(level; 1, ν),   ν = W - k,
    noise known      R(θ_i) - R̂        ≤ χ²(level; 1),
    other likelihoods whose scale is unknown, R being twice minus the log likelihood at the most likely scale,
                     R(θ_i) - R̂        ≤ (ν + k) log(1 + F(level; 1, ν)/ν),   ν + k = half their information on log scale,

the last being the first again for Gaussian noise. The first two are the t and the Gaussian interval where the formula is linear
in its constants (Bates & Watts 1988, chapter 6). Where the profile never gets so high the interval is open on that side: the
data do not bound the constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.expression.expr import Expression
from hypo.fitting.constants.fit import TIGHT, DescentOptions, Parameters, fit
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.posterior.laplace import laplace, student_quantile

# Most steps of a refit.
STEPS = 200
# Most steps outwards.
OUTWARDS = 60
# How many times as long as the last each of these is.
FACTOR = 1.5
# Most halvings at a border beyond which a formula is undefined.
HALVED = 40
# Width, as a share of the interval, to which ends are found.
DIGITS = 1e-8


@dataclass(frozen=True)
class ProfileInterval:
    """Ends of the profile interval of a fitted constant, None where it is open; ``leaf`` is the constant's first leaf."""

    leaf: int
    value: float
    lower: float | None
    upper: float | None


def profile_intervals(
    e: Expression,
    X: NDArray[np.float64],
    columns: Sequence[str],
    likelihood: Likelihood,
    level: float = 0.95,
    clock: Expiring | None = None,
) -> tuple[ProfileInterval, ...]:
    """The profile intervals of the free constants of ``e``, which must be fitted to the rows ``X`` (n_var, n_row), in order of
    appearance; those that share a name are one. Empty where no degree of freedom is left, or the formula is undefined on some
    row; shorter where the time was up."""
    shape = laplace(e, X, columns, likelihood)
    if shape is None or not shape.dof > 0:
        return ()
    limit = student_quantile(0.5 + 0.5 * level, shape.dof) ** 2
    linear = Parameters.of(e).linear
    out = []
    for p, value in enumerate(shape.theta):
        leaves = np.flatnonzero(shape.slot == p)
        profile = _Profile(e, leaves.tolist(), (X, columns, likelihood), shape.dof, len(shape.theta), limit, clock)
        step = math.sqrt(limit) * float(shape.std[p])
        if not 0 < step < math.inf:
            step = 0.1 * abs(value) or float(shape.prior_scale[p])
        elif not np.all(linear):
            # Where the data hardly bound a constant the standard error leads beyond what the formula is like here.
            step = min(step, abs(value) + float(shape.prior_scale[p]))
        lower, upper = (profile.end(float(value), side * step) for side in (-1.0, 1.0))
        if clock is not None and clock.expired:
            break
        out.append(ProfileInterval(int(leaves[0]), float(value), lower, upper))
    return tuple(out)


class _Profile:
    """The profile of one parameter of ``e``: that of the constants at ``leaves``."""

    def __init__(
        self,
        e: Expression,
        leaves: Sequence[int],
        rows: tuple[NDArray[np.float64], Sequence[str], Likelihood],
        dof: float,
        n_constant: int,
        limit: float,
        clock: Expiring | None,
    ) -> None:
        held = (replace(c, free=False, name=None) if i in leaves else c for i, c in enumerate(e.constants))
        self._best = replace(e, constants=tuple(held))
        self._leaves, self._rows, self._clock = leaves, rows, clock
        self._at_best = self._predicted(e)
        self._least = rows[2].loss(self._at_best)
        self._limit = limit
        if math.isfinite(dof) and isinstance(rows[2], Gaussian):
            self._limit = limit * max(self._least, rows[2].total_weight * rows[2].floor ** 2) / dof
        elif math.isfinite(dof):
            self._limit = (dof + n_constant) * math.log1p(limit / dof)
        self._near = self._best

    def _predicted(self, e: Expression) -> NDArray[np.float64]:
        X, columns, likelihood = self._rows
        with np.errstate(all="ignore"):
            return likelihood.predict(e, X, columns)

    def _rise(self, e: Expression) -> float:
        """By how much the loss of ``e`` is above the least; infinite where undefined."""
        likelihood, f = self._rows[2], self._predicted(e)
        if not isinstance(likelihood, Gaussian):
            return likelihood.loss(f) - self._least
        # Both may be large and nearly the same: Σ (r + d)² - Σ r² = Σ d (2r + d).
        root = 1.0 if likelihood.root_weights is None else likelihood.root_weights
        with np.errstate(all="ignore"):
            r, d = root * (likelihood.y - self._at_best), root * (self._at_best - f)
            rise = float(d @ (2.0 * r + d))
        return rise if math.isfinite(rise) else math.inf

    def height(self, value: float) -> float:
        """How much of what the threshold allows the misfit has grown at ``value``, minus 1; infinite where undefined. The refit
        begins at the last one within the interval: what fits beyond it may be far off."""
        values = self._near.values
        values[list(self._leaves)] = value
        e = self._near.with_values(values)
        if e.free:
            X, columns, likelihood = self._rows
            e = fit(e, X, columns, likelihood, options=DescentOptions(steps=STEPS, tolerance=TIGHT), clock=self._clock)
        rise = self._rise(e)
        if not math.isfinite(rise):
            return math.inf
        height = rise / self._limit - 1.0
        if height <= 0:
            self._near = e
        return height

    def end(self, value: float, step: float) -> float | None:
        """Where the profile crosses the threshold, going from the fitted ``value`` by growing steps; None where it does not."""
        from scipy.optimize import brentq

        self._near = self._best
        inside, outside = value, value + step
        for _ in range(OUTWARDS):
            height = self.height(outside)
            if height > 0:
                break
            inside, step = outside, FACTOR * step
            outside += step
            if not math.isfinite(outside) or (self._clock is not None and self._clock.expired):
                return None
        else:
            return None
        # Where the formula ends before the threshold is reached the interval ends there.
        for _ in range(HALVED):
            if math.isfinite(height) or abs(outside - inside) <= DIGITS * abs(outside - value):
                break
            middle = 0.5 * (inside + outside)
            there = self.height(middle)
            if there > 0:
                outside, height = middle, there
            else:
                inside = middle
        if not math.isfinite(height):
            return inside
        return float(brentq(self.height, inside, outside, xtol=DIGITS * abs(outside - value), rtol=1e-13))
