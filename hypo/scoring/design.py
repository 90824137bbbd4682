"""Which measurement next: the rows where the plausible hypotheses disagree most per unit of noise.

With draws d of structure and constants from the posterior, their weights ω_d and values f_d(x), a measurement at x is expected
to bring

    I(x) = ½ log(1 + V(x)/N(x)) nats,    V = Σ ω_d (f_d - f̄)²,    N = Σ ω_d σ_d²:

the information for a Gaussian prediction and Gaussian noise (MacKay 1992, Neural Computation 4, 590), and an approximation with
expected targets for f_d and the variance of the target for σ_d² where targets have another distribution. In a batch each point
is chosen given those before it: V is the variance that is left after measuring at them (Gaussian conditioning on the draws'
covariance), so that no two tell the same; greedy choice comes close to the best batch (Krause, Singh & Guestrin 2008).

The box is searched at points of a Sobol sequence and its corners, and the best ones are refined by Nelder and Mead's method.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.evaluate import Program
from hypo.scoring.family import Family
from hypo.scoring.posterior import Structure
from hypo.scoring.predictive import _draws, noise_at

# Points of the Sobol sequence (powers of two), for up to two columns and for more; most columns with all corners tried.
POINTS, MORE_POINTS, CORNERS = 1024, 4096, 8
# Starts of the refinement, and steps of each per column.
STARTS, STEPS = 3, 60
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


class Disagreement:
    """Draws of the plausible hypotheses; what is known of them after measuring at some points."""

    def __init__(
        self, structures: Sequence[Structure], columns: Sequence[str], seed: int = 0, family: Family | None = None
    ) -> None:
        self._family = family or Family()
        rng = np.random.default_rng(seed)
        self._structures, self._columns = structures, columns
        self._drawn = [_draws(s, rng) for s in structures]
        self._weight = np.concatenate([d.weight for d in self._drawn])
        self._spreads = np.empty((len(self._weight), 0))
        self._noises = np.empty(0)

    def looked_at(self, X: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Mean, V given what was measured, N, each (n_point,), and the weighted deviations (n_draw, n_point) at the points
        ``X`` (n_var, n_point); NaN where draws with half the weight or more are undefined."""
        with np.errstate(all="ignore"):
            pairs = list(zip(self._structures, self._drawn, strict=True))
            values = np.concatenate([Program.of(s.expression, self._columns).batch(X, d.values) for s, d in pairs])
            scale = np.concatenate([noise_at(s, d, X, self._columns, self._family) for s, d in pairs])
            known = self._family.possible(values)
            at = np.where(known, values, 1.0)
            values = self._family.mean(at, scale)
            weight = self._weight[:, None] * known
            total = weight.sum(axis=0)
            weight = np.where(total > 0.5 * self._weight.sum(), weight / total, np.nan)
            values = np.where(known, values, 0.0)
            mean = np.sum(weight * values, axis=0)
            spread = np.sqrt(weight) * (values - mean)
            left = np.sum(spread**2, axis=0)
            if len(self._noises):
                shared = self._spreads.T @ spread
                among = self._spreads.T @ self._spreads + np.diag(self._noises)
                left = np.maximum(left - np.sum(shared * np.linalg.solve(among, shared), axis=0), 0.0)
            noise = np.sum(weight * self._family.variance(at, scale), axis=0)
        return mean, left, noise, spread

    def information(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """I (n_point,); -inf where it is not defined."""
        _, left, noise, _ = self.looked_at(X)
        with np.errstate(all="ignore"):
            value = 0.5 * np.log1p(left / noise)
        return np.where(np.isfinite(value), value, -math.inf)

    def measure(self, x: NDArray[np.float64]) -> tuple[float, float, float]:
        """Mean, disagreement and noise at ``x`` (n_var,); from now on it counts as measured."""
        mean, left, noise, spread = self.looked_at(np.ascontiguousarray(x[:, None]))
        self._spreads = np.column_stack([self._spreads, spread])
        self._noises = np.append(self._noises, noise)
        return float(mean[0]), math.sqrt(left[0]), math.sqrt(noise[0])


def suggest(
    structures: Sequence[Structure],
    columns: Sequence[str],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    count: int,
    seed: int = 0,
    family: Family | None = None,
) -> Design | None:
    """``count`` points in the box from ``low`` to ``high`` (n_var,), in the units of the formulas; None where the hypotheses
    are undefined all over the box."""
    known = Disagreement(structures, columns, seed, family)
    unit = _candidates(len(low))
    span = high - low

    def information(u: NDArray[np.float64]) -> NDArray[np.float64]:
        return known.information(np.ascontiguousarray((low + np.clip(u, 0.0, 1.0) * span).T))

    rows: list[tuple[float, ...]] = []
    points = []
    for _ in range(count):
        found = information(unit)
        if not np.any(np.isfinite(found)):
            return None
        starts = unit[np.argsort(-found, kind="stable")[:STARTS]]
        tried = np.array([starts[0], *(_refined(information, u) for u in starts)])
        best = information(tried)
        # The first of equals, so that a flat maximum stays where the sequence met it.
        u = tried[int(np.argmax(best > best.max() - 1e-9))]
        edge = np.where(u < EDGE, 0.0, np.where(u > 1.0 - EDGE, 1.0, u))
        # Hypotheses may be undefined on the face itself, and then a point measured there would say nothing of the next ones.
        places = np.array([edge, np.clip(u, EDGE, 1.0 - EDGE), u])
        u = places[int(np.argmax(np.isfinite(information(places))))]
        x = low + u * span
        rows.append((*known.measure(x), float(best.max())))
        points.append(x)
    mean, disagreement, noise, gained = np.array(rows).T
    return Design(np.array(points), mean, disagreement, noise, gained)


def _candidates(d: int) -> NDArray[np.float64]:
    """Points (n_point, d) of the unit cube: a Sobol sequence and the corners."""
    from scipy.stats.qmc import Sobol

    sequence = Sobol(d, scramble=False).random(POINTS if d <= 2 else MORE_POINTS)
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=d))) if d <= CORNERS else np.empty((0, d))
    return np.concatenate([sequence, corners])


def _refined(information: object, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """The local maximum uphill from ``start`` in the unit cube."""
    from scipy.optimize import minimize

    assert callable(information)
    # A simplex that reaches into the cube, also from its faces.
    step = np.where(start > 0.5, -0.02, 0.02)
    simplex = np.vstack([start, start + np.diag(step)])
    options = {"initial_simplex": simplex, "maxiter": STEPS * len(start), "xatol": 1e-6, "fatol": 1e-9}
    found = minimize(
        lambda u: -float(information(u[None, :])[0]),
        start,
        method="Nelder-Mead",
        bounds=[(0.0, 1.0)] * len(start),
        options=options,
    )
    return np.asarray(found.x)
