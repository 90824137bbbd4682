"""Which measurement next: the rows where the plausible hypotheses disagree most per unit of noise.

With draws d of structure and constants from the posterior, their weights ω_d and values f_d(x), a measurement at x is expected
to bring

    I(x) = ½ log(1 + V(x)/N(x)) nats,    V = Σ ω_d (f_d - f̄)²,    N = Σ ω_d σ_d²:

the information for a Gaussian prediction and Gaussian noise (MacKay 1992, Neural Computation 4, 590), and an approximation with
expected targets for f_d and the variance of the target for σ_d² where targets have another distribution. A structure that
is far off counts with the information that its weight w allows: whether it is the law, at most H(w) ≤ w (1 - log w) nats, and
what it says of its constants, w times the information within it. So the deviations of structure j from the weighted median m of
the structures' means are scaled down, in order of weight, till

    Σ_{d in j} ω_d (f_d - m)² ≤ (N + the same of the structures before) (exp(2 h_j) - 1),    h_j = w (1 - log w + I_j),

unless w is above ½; a pole of an unlikely law would decide otherwise. In a batch each point
is chosen given those before it: V is the variance that is left after measuring at them (Gaussian conditioning on the draws'
covariance), so that no two tell the same; greedy choice comes close to the best batch (Krause, Singh & Guestrin 2008).

Where averaging the noise tells most, a point is chosen again, unless all are to be distinct.

The box is searched at points of a Sobol sequence and its corners, and the best ones are refined by Nelder and Mead's method.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.likelihood.family import Family
from hypo.likelihood.registry import make_family
from hypo.posterior.posterior import Structure
from hypo.posterior.predictive import Ensemble, draw

# Points of the Sobol sequence for up to two columns, a power of two.
POINTS = 1024
# Points for more columns.
MORE_POINTS = 4096
# Most columns with all corners tried.
CORNERED_COLUMNS = 8
# Starts of the refinement.
STARTS = 3
# Steps of each, per column.
STEPS = 60
# Points that are to be different are so far from each other, as a share of the box's width.
APART = 0.05
# Points as close to a face of the box, as a share of its width, lie on it.
EDGE = 1e-5


@dataclass(frozen=True)
class Design:
    """Points to measure at (n_point, n_var) in the order of choice, and of each: the mean prediction, the standard deviations
    of the hypotheses' disagreement, given the points before, and of the noise, and the information in nats."""

    points: NDArray[np.float64]
    mean: NDArray[np.float64]
    disagreement: NDArray[np.float64]
    noise: NDArray[np.float64]
    information: NDArray[np.float64]


class PointPredictions(NamedTuple):
    """The predictions by draws of the hypotheses at some points: the mean prediction, N and V given what was measured,
    (n_point,) each, and the deviations √ω_d (f_d - f̄), (n_draw, n_point). NaN where draws with half the weight or more are
    undefined."""

    mean: NDArray[np.float64]
    noise: NDArray[np.float64]
    left: NDArray[np.float64]
    spread: NDArray[np.float64]

    @property
    def information(self) -> NDArray[np.float64]:
        """I (n_point,); -inf where it is not defined."""
        with np.errstate(all="ignore"):
            value = 0.5 * np.log1p(self.left / self.noise)
        return np.where(np.isfinite(value), value, -math.inf)


class Disagreement:
    """Draws of the plausible hypotheses; what is known of them after measuring at some points.

    With the deviations s(x) of the draws the covariance of two predictions is s(x)·s(x'). A measurement at x_j takes from it

        L_j(x) L_j(x'),    L_j(x) = g_j·s(x),    g_j = (s(x_j) - Σ_{i<j} g_i L_i(x_j)) / √(V_j(x_j) + N(x_j)),

    V_j being the variance before it: Gaussian conditioning one point at a time.
    """

    def __init__(
        self, structures: Sequence[Structure], columns: Sequence[str], seed: int = 0, family: Family | None = None
    ) -> None:
        self._family = family or make_family()
        rng = np.random.default_rng(seed)
        draws = [draw(s, rng) for s in structures]
        self._ensemble = Ensemble(structures, draws, columns, self._family)
        self._weight = np.concatenate([d.weight for d in draws])
        self._first = np.append(0, np.cumsum([len(d.weight) for d in draws]))
        self._taken = np.empty((0, len(self._weight)))  # g of each measurement

    def predict_points(self, X: NDArray[np.float64]) -> PointPredictions:
        """The points ``X`` (n_var, n_point)."""
        with np.errstate(all="ignore"):
            values, scale = self._ensemble.values(X), self._ensemble.noise(X)
            known = self._family.is_possible(values)
            at = np.where(known, values, 1.0)
            values = np.where(known, self._family.mean(at, scale), 0.0)
            weight = self._weight[:, None] * known
            total = weight.sum(axis=0)
            weight = np.where(total > 0.5 * self._weight.sum(), weight / total, np.nan)
            noise = np.sum(weight * self._family.variance(at, scale), axis=0)
            values = _limit_deviations(values, weight, noise, self._first)
            mean = np.sum(weight * values, axis=0)
            spread = np.sqrt(weight) * (values - mean)
            left = np.maximum(np.sum(spread**2, axis=0) - np.sum((self._taken @ spread) ** 2, axis=0), 0.0)
        return PointPredictions(mean, noise, left, spread)

    def measure(self, x: NDArray[np.float64]) -> PointPredictions:
        """The prediction at ``x`` (n_var,), which from now on counts as measured."""
        there = self.predict_points(np.ascontiguousarray(x[:, None]))
        spread, variance = there.spread[:, 0], float(there.left[0] + there.noise[0])
        g = spread - self._taken.T @ (self._taken @ spread)
        self._taken = np.vstack([self._taken, g / math.sqrt(variance) if variance > 0 else 0.0 * g])
        return there

    def condition_on_last(self, there: PointPredictions) -> PointPredictions:
        """``there``, which was looked at before the last measurement, given it too."""
        with np.errstate(all="ignore"):
            return there._replace(left=np.maximum(there.left - (self._taken[-1] @ there.spread) ** 2, 0.0))


def _limit_deviations(
    values: NDArray[np.float64], weight: NDArray[np.float64], noise: NDArray[np.float64], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``values`` (n_draw, n_point) with the deviations of structures scaled down to what their weights allow; those of
    structure j are from ``first[j]`` on."""
    owner = np.repeat(np.arange(len(first) - 1), np.diff(first))

    def summed(terms: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(terms, first[:-1], axis=0))

    w = summed(weight)
    centre = np.where(w > 0, summed(weight * values) / w, 0.0)
    order = np.argsort(centre, axis=0)
    half = np.argmax(np.cumsum(np.take_along_axis(w, order, 0), axis=0) >= 0.5 - 1e-9, axis=0)
    median = np.take_along_axis(centre, np.take_along_axis(order, half[None], 0), 0)
    within = 0.5 * np.log1p(summed(weight * (values - centre[owner]) ** 2) / w / noise)
    share = np.expm1(2.0 * w * (1.0 - np.log(w) + within))
    away = summed(weight * (values - median) ** 2)
    factor, before = np.ones_like(w), noise.copy()
    for j in np.argsort(-w.max(axis=1), kind="stable"):
        most = np.where(w[j] < 0.5 - 1e-9, before * share[j], math.inf)
        far = away[j] > most
        factor[j, far] = np.sqrt(most[far] / away[j, far])
        before += np.where(far, most, np.where(w[j] > 0, away[j], 0.0))
    return np.asarray(np.where(factor[owner] < 1.0, median + factor[owner] * (values - median), values))


def suggest(
    structures: Sequence[Structure],
    columns: Sequence[str],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    count: int,
    seed: int = 0,
    family: Family | None = None,
    distinct: bool = False,
) -> Design | None:
    """``count`` points in the box from ``low`` to ``high`` (n_var,), in the units of the formulas; None where the hypotheses
    are undefined all over the box. ``distinct``: any two differ by ``APART`` of the box's width, or what fits ``count`` points,
    in some variable."""
    known = Disagreement(structures, columns, seed, family)
    unit = _candidates(len(low))
    span = high - low

    def looked_at(u: NDArray[np.float64]) -> PointPredictions:
        return known.predict_points(np.ascontiguousarray((low + np.clip(u, 0.0, 1.0) * span).T))

    taken = np.empty((0, len(low)))
    # So many points at this distance of each other fit in a line, and in more dimensions.
    apart = min(APART, 0.25 / count) if distinct else -1.0

    def free(u: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the points ``u`` (n_point, n_var) are none that were chosen before."""
        near = np.abs(np.clip(u, 0.0, 1.0)[:, None] - taken[None]).max(axis=2, initial=0.0) <= apart
        return np.asarray(~np.any(near, axis=1))

    def information(u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(free(u), looked_at(u).information, -math.inf)

    everywhere = looked_at(unit)
    rows: list[tuple[float, ...]] = []
    points = []
    for _ in range(count):
        found = np.where(free(unit), everywhere.information, -math.inf)
        if not np.any(np.isfinite(found)):
            return None
        starts = unit[np.argsort(-found, kind="stable")[:STARTS]]
        tried = np.array([starts[0], *(_refine(information, u) for u in starts)])
        edge = np.where(tried < EDGE, 0.0, np.where(tried > 1.0 - EDGE, 1.0, tried))
        # Hypotheses may be undefined on the face itself, and then a point measured there would say nothing of the next ones.
        places = np.array([edge, np.clip(tried, EDGE, 1.0 - EDGE), tried])
        gains = information(places.reshape(-1, len(low))).reshape(len(places), -1)
        first = np.argmax(np.isfinite(gains), axis=0), np.arange(len(tried))
        tried, best = places[first], gains[first]
        # The first of equals, so that a flat maximum stays where the sequence met it.
        chosen = int(np.argmax(best > best.max() - 1e-9))
        u = tried[chosen]
        taken = np.vstack([taken, np.clip(u, 0.0, 1.0)])
        x = low + u * span
        there = known.measure(x)
        everywhere = known.condition_on_last(everywhere)
        rows.append((float(there.mean[0]), math.sqrt(there.left[0]), math.sqrt(there.noise[0]), float(best[chosen])))
        points.append(x)
    mean, disagreement, noise, gained = np.array(rows).T
    return Design(np.array(points), mean, disagreement, noise, gained)


def _candidates(d: int) -> NDArray[np.float64]:
    """Points (n_point, d) of the unit cube: a Sobol sequence and the corners."""
    from scipy.stats.qmc import Sobol

    sequence = Sobol(d, scramble=False).random(POINTS if d <= 2 else MORE_POINTS)
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=d))) if d <= CORNERED_COLUMNS else np.empty((0, d))
    return np.concatenate([sequence, corners])


def _refine(information: object, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """The local maximum uphill from ``start`` in the unit cube."""
    from scipy.optimize import minimize

    assert callable(information)
    # A simplex that reaches into the cube, also from its faces.
    step = np.where(start > 0.5, -0.02, 0.02)
    simplex = np.vstack([start, start + np.diag(step)])
    options = {"initial_simplex": simplex, "maxiter": STEPS * len(start), "xatol": 1e-6, "fatol": 1e-9}
    # Where the hypotheses are undefined the information is -inf, and differences of such are no numbers.
    with np.errstate(invalid="ignore"):
        found = minimize(
            lambda u: -float(information(u[None, :])[0]),
            start,
            method="Nelder-Mead",
            bounds=[(0.0, 1.0)] * len(start),
            options=options,
        )
    return np.asarray(found.x)
