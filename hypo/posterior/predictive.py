"""Posterior predictive: new rows predicted by all likely structures, with all likely values of their constants.

The predictive density of a row x is the mixture

    p(y|x) = Σ_d ω_d N(y; f_d(x), σ_d²)

for Gaussian noise, and with the densities of :mod:`hypo.likelihood.family` for other likelihoods, over draws
d = (structure, constants, noise). Each structure j gets a share of the draws with Σ_{d in j} ω_d = w_j, its posterior weight.
In it σ_d² = σ̂²·ν/χ²_ν at evenly spaced quantiles (σ_d = σ̂ where the noise is known), and θ_d = θ̂ + (σ_d/σ̂)·L z with L Lᵀ
the covariance and z standard normal, in pairs of opposite sign whose second moments are exact. Quantiles are those of the
mixture, by Newton's method within a bracket; the smallest whole number that has the probability, where targets are such.

Variance of y = noise E σ_d² + constants E_j Var(f|j) + structure Var_j E(f|j), with the mean of y in the place of f and the
variance of y at f in that of σ², where these differ. Draws with an impossible f, such as a rate below 0, do not count.
With errors in x, σ_d² of a row is σ_y² + Σ_j ((f_d(x + σ_j e_j) - f_d(x - σ_j e_j))/2)².
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.expression.program import Program
from hypo.likelihood.family import Family
from hypo.likelihood.registry import make_family
from hypo.posterior.posterior import Structure

# Draws in all.
DRAWS = 200
# Least draws of one structure, an even number.
LEAST_DRAWS = 8
# Rows that are done at a time.
BLOCK = 2048


def _figures(found: Parts | Prediction) -> str:
    """The number of rows, and the range of each figure over them."""
    ranges = (f"{name} {show_range(getattr(found, name))}" for name in found._fields if name != "parts")
    count = len(found[0])
    return f"{count} row{'s' * (count != 1)}; {', '.join(ranges)}"


def show_range(values: NDArray[np.float64]) -> str:
    """The range of numbers in words: ``1.5 to 3``; undefined ones do not count."""
    known = values[~np.isnan(values)]
    if not known.size:
        return "undefined"
    low, high = (f"{v:.4g}" for v in (known.min(), known.max()))
    return low if low == high else f"{low} to {high}"


class Parts(NamedTuple):
    """Standard deviations (n_row,) from the noise, from the constants within structures, and between structures; their
    squares add up to that of the prediction."""

    noise: NDArray[np.float64]
    constants: NDArray[np.float64]
    structure: NDArray[np.float64]

    def __repr__(self) -> str:
        return f"<Parts of {_figures(self)}>"


class Prediction(NamedTuple):
    """Mean, standard deviation and central interval (n_row,) of the target in new rows, noise included, in the target's unit.

    NaN where structures with half the weight or more are undefined; where it is less, the others count alone. ``std`` and
    ``parts.noise`` are infinite for Student's t with 2 degrees of freedom or fewer, whose variance is.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    parts: Parts

    def __repr__(self) -> str:
        return f"<Prediction of {_figures(self)}; and parts>"

    def scaled(self, factor: float) -> Prediction:
        """The same in another unit of the target, with all numbers multiplied by ``factor``."""
        figures = (self.mean, self.std, self.lower, self.upper)
        mean, std, lower, upper = (factor * v for v in figures)
        return Prediction(mean, std, lower, upper, Parts(*(factor * v for v in self.parts)))


class Draws(NamedTuple):
    """Of one structure: weights (n_draw,), constants of all leaves (n_draw, n_constant) and noise (n_draw,)."""

    weight: NDArray[np.float64]
    values: NDArray[np.float64]
    sigma: NDArray[np.float64]


class Ensemble:
    """Draws of several structures, evaluated together, with one call of the kernel for all of them."""

    def __init__(
        self,
        structures: Sequence[Structure],
        draws: Sequence[Draws],
        columns: Sequence[str],
        family: Family | None = None,
    ) -> None:
        self._family = family or make_family()
        self._columns = columns
        self._sigma = np.concatenate([d.sigma for d in draws])[:, None]
        programs = [Program.of(s.expression, columns) for s in structures]
        counts = [len(d.weight) for d in draws]
        self._op = np.concatenate([np.tile(p.op, n) for p, n in zip(programs, counts, strict=True)])
        self._arg = np.concatenate([np.tile(p.arg, n) for p, n in zip(programs, counts, strict=True)])
        self._start = np.append(0, np.cumsum(np.repeat([len(p.op) for p in programs], counts)))
        self._constants = np.concatenate([d.values.ravel() for d in draws])
        sizes = np.repeat([d.values.shape[1] for d in draws], counts)
        self._first = np.cumsum(sizes) - sizes
        errors = self._family.column_noise
        self._noisy = {
            name: size
            for name, size in (errors.x_sigma.items() if errors else ())
            if any(name in s.expression.variables for s in structures)
        }

    def values(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """The formulas of all draws on ``X`` (n_var, n_row), shape (n_draw, n_row)."""
        from hypo.kernels.cpu.evaluate import evaluate as kernel

        out = np.empty((len(self._sigma), X.shape[1]))
        kernel(self._op, self._arg, self._start, self._constants, self._first, X, out)
        return out

    def noise(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale of the noise of each draw (n_draw, 1), with errors in x of each row too (n_draw, n_row); there that of the
        fit's rows where the formula ends nearby."""
        errors = self._family.column_noise
        if errors is None:
            return self._sigma
        variance = np.full((len(self._sigma), X.shape[1]), errors.sigma**2)
        for name, size in self._noisy.items():
            ends = []
            for step in (size, -size):
                moved = X.copy()
                moved[self._columns.index(name)] += step
                ends.append(self.values(moved))
            with np.errstate(all="ignore"):
                variance += (0.5 * (ends[0] - ends[1])) ** 2
        return np.where(np.isfinite(variance), np.sqrt(variance), self._sigma)


def predictive(
    structures: Sequence[Structure],
    X: NDArray[np.float64],
    columns: Sequence[str],
    level: float,
    seed: int = 0,
    family: Family | None = None,
    trials: NDArray[np.float64] | None = None,
) -> Prediction:
    """The predictive distribution of the rows ``X`` (n_var, n_row) under ``structures``, whose weights add up to 1; the
    interval holds y with probability ``level``. ``trials`` (n_row,) are those of binomial targets, 1 by default."""
    family = family or make_family()
    trials = np.ones(X.shape[1]) if trials is None else trials
    rng = np.random.default_rng(seed)
    draws = [draw(s, rng) for s in structures]
    ensemble = Ensemble(structures, draws, columns, family)
    n = X.shape[1]
    out = np.empty((7, n))
    for first in range(0, n, BLOCK):
        rows = slice(first, min(first + BLOCK, n))
        # Squares of predictions beyond 1e154 overflow, and their standard deviation with them; the interval still holds.
        with np.errstate(over="ignore", invalid="ignore"):
            out[:, rows] = _block(ensemble, draws, np.ascontiguousarray(X[:, rows]), level, family, trials[rows])
    mean, std, lower, upper, *parts = out
    return Prediction(mean, std, lower, upper, Parts(*parts))


def samples(
    structures: Sequence[Structure],
    X: NDArray[np.float64],
    columns: Sequence[str],
    n: int,
    *,
    noise: bool = True,
    seed: int = 0,
    family: Family | None = None,
    trials: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """``n`` independent draws (n, n_row) of the targets of all rows ``X`` (n_var, n_row) together: one structure, one set of
    constants and one scale of the noise for each draw, and noise of its own in each row. Without ``noise`` the expected
    targets. NaN where the drawn formula is impossible."""
    family = family or make_family()
    trials = np.ones(X.shape[1]) if trials is None else trials
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, np.array([s.weight for s in structures]) / sum(s.weight for s in structures))
    out = np.empty((n, X.shape[1]))
    first = 0
    for s, count in zip(structures, counts, strict=True):
        if count:
            d = _independent(s, int(count), rng)
            ensemble = Ensemble([s], [d], columns, family)
            f = ensemble.values(X)
            scale = np.broadcast_to(ensemble.noise(X), f.shape)
            if noise:
                y = family.draw(rng, f, scale, trials)
            else:
                y = np.where(family.is_possible(f), family.mean(f, scale, trials), math.nan)
            out[first : first + count] = y
            first += count
    return rng.permutation(out)


def draw(s: Structure, rng: np.random.Generator) -> Draws:
    """A share of ``DRAWS`` of one structure's constants and noise."""
    from scipy.special import gammaincinv

    n, k = max(LEAST_DRAWS, 2 * round(DRAWS * s.weight / 2)), len(s.constants)
    ratio = np.ones(n)
    if math.isfinite(s.dof):
        quantiles = (np.arange(n // 2) + 0.5) / (n // 2)
        # One noise for both of a pair, so that means are those of formulas linear in their constants.
        ratio = np.tile(rng.permutation(np.sqrt(0.5 * s.dof / gammaincinv(0.5 * s.dof, quantiles))), 2)
    z = rng.standard_normal((n // 2, k))
    if n // 2 > k > 0:
        z = np.linalg.qr(z)[0] * math.sqrt(n // 2)
    return _draws_at(s, ratio, np.concatenate([z, -z]))


def _independent(s: Structure, n: int, rng: np.random.Generator) -> Draws:
    """``n`` random draws of the constants and the noise of one structure."""
    ratio = np.sqrt(s.dof / rng.chisquare(s.dof, n)) if math.isfinite(s.dof) else np.ones(n)
    return _draws_at(s, ratio, rng.standard_normal((n, len(s.constants))))


def _draws_at(s: Structure, ratio: NDArray[np.float64], z: NDArray[np.float64]) -> Draws:
    """Draws with σ_d = σ̂·ratio (n,) and θ_d = θ̂ + ratio·L z, with z (n, k)."""
    n = len(ratio)
    values = np.tile(s.expression.values, (n, 1))
    if s.constants:
        theta = np.array(s.constants) + ratio[:, None] * (z @ _factor(s).T)
        slot = np.array(s.slot)
        values[:, slot >= 0] = theta[:, slot[slot >= 0]]
    return Draws(np.full(n, s.weight / n), values, s.sigma * ratio)


def _factor(s: Structure) -> NDArray[np.float64]:
    """L (k, k) with L Lᵀ the covariance of the constants."""
    covariance = np.array(s.covariance)
    std = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    # By the correlations: eigenvectors are exact to rounding of the largest constant, which may be 10^60 times the least.
    unit = np.where(std > 0, std, 1.0)
    size, vectors = np.linalg.eigh(covariance / unit / unit[:, None])
    return np.asarray(std[:, None] * vectors * np.sqrt(np.maximum(size, 0.0)))


def _block(
    ensemble: Ensemble,
    draws: Sequence[Draws],
    X: NDArray[np.float64],
    level: float,
    family: Family,
    trials: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean, std, lower, upper and the three parts (7, n_row) of a block of rows."""
    centre, sigma = ensemble.values(X), ensemble.noise(X)
    whose = np.repeat(np.arange(len(draws)), [len(d.weight) for d in draws])
    weight = np.concatenate([d.weight for d in draws])[:, None] * family.is_possible(centre)
    total = weight.sum(axis=0)
    known = total > 0.5
    weight = np.where(known, weight / np.where(known, total, 1.0), 1.0 / len(weight))
    f = np.where(family.is_possible(centre), centre, 1.0)
    centre = family.mean(f, sigma, trials)
    share = np.zeros((len(draws), X.shape[1]))
    inside, spread = share.copy(), share.copy()
    np.add.at(share, whose, weight)
    np.add.at(inside, whose, weight * centre)
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = np.where(share > 0, inside / share, 0.0)
    np.add.at(spread, whose, weight * (centre - inside[whose]) ** 2)
    mean = np.sum(share * inside, axis=0)
    noise = np.sum(weight * family.variance(f, sigma, trials), axis=0)
    constants = spread.sum(axis=0)
    between = np.sum(share * (inside - mean) ** 2, axis=0)
    ends = (0.5 - 0.5 * level, 0.5 + 0.5 * level)
    lower, upper = (family.mixture_quantile(p, f, sigma, trials, weight) for p in ends)
    out = np.stack([mean, np.sqrt(noise + constants + between), lower, upper, *np.sqrt([noise, constants, between])])
    out[:, ~known] = math.nan
    return out
