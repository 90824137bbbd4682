"""Laplace approximation of a fitted hypothesis: its constants' distribution and its evidence.

**Prior of a constant.** A Cauchy distribution around 0 with the constant's natural size s as scale,

    p(θ) = 1 / (π s (1 + θ²/s²)),     s = sqrt( Σ w y² / Σ w (∂f/∂θ)² ):

a change of the constant by s changes the prediction by as much as the target itself is. This is the Cauchy prior of Zellner
& Siow (1980) with the target's size in the place of the noise. It is proper, moves with the units of rows and target, so
that the evidence depends on no unit beyond that of the density of y, and has tails heavy enough for constants that are far
from their natural size.

**Noise.** Known σ_i: Gaussian. Unknown σ: the prior 1/σ (Jeffreys), integrated out. With W = Σ w rows, k constants, residual
sum of squares R at the fitted constants θ̂ and A = Σ w ∇f ∇fᵀ, the constants then have a Student-t distribution with
ν = W - k degrees of freedom around θ̂ and scale matrix (R/ν)·A⁻¹, and the evidence is

    log P(D|h) = log p(θ̂) - ½ log|A| - (ν/2) log πR + log Γ(ν/2) - log 2:

exact for formulas linear in their constants but for the prior, which is taken at θ̂. The improper prior of σ is one for
all hypotheses, so it leaves their odds alone. R is not below rounding, as in :class:`hypo.likelihood.base.Gaussian`.

**Other likelihoods** (:mod:`hypo.likelihood.row_likelihood`): A is their information, expected or observed, and Gaussian the
distribution of θ; the target's size in s is that on the scale of the formula, 2.5 for log-odds. An unknown scale of the noise
has the prior 1/σ and is a constant like the others, with the information J on log σ,

    log P(D|h) = log p(θ̂) - misfit + ½ (k+1) log 2π - ½ log|A| - ½ log J,

A being what is left of the information on θ; J/2 is the number of rows that σ̂ is worth, so ν = J/2 - k, and standard errors
and σ are larger by sqrt(1 + k/ν), as they are for Gaussian noise, where J/2 = W.

**Equivalent values.** Where m values of the constants give the same law (:mod:`hypo.posterior.modes`), as (a, b) and
(-a, -b) in a·sin(b·x), each is a peak of the same height, and log m is added.

To A/V (V the noise variance) the prior adds its own precision 2/(s² + θ̂²) in the evidence, which matters where the data say
nothing. Standard errors, intervals and predictions are those of the data alone (:mod:`hypo.posterior.information`).

**Beside the code length.** A well determined constant costs -log p(θ̂) + ½ log(I/2π) nats of evidence (I its Fisher
information), and log(1 + |θ̂| sqrt(I/12)) + log 2 nats of code (:mod:`hypo.scoring.code_length`). With r = |θ̂|/s the first
is more by 0.77 + log(r + 1/r) nats: 1.5 for a constant of its natural size, 3.1 for one ten times larger or smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.posterior.information import spread
from hypo.posterior.modes import equivalent_modes
from hypo.scoring.row_sums import RowSums

# Derivatives (k, n_row) for the sums over leaves (k, n_constant).
Lines = Callable[[NDArray[np.float64]], NDArray[np.float64] | None]

# Constants whose correlation is beyond this are determined together and not apart.
CORRELATED = 0.99
# Least eigenvalue of a correlation matrix's inverse that is told from rounding.
SINGULAR = 1e-13
# Most rows that information is summed over.
SAMPLE = 20_000


@dataclass(frozen=True)
class Laplace:
    """The k free constants of one hypothesis as the data have them, and the hypothesis' evidence.

    ``theta`` (k,) are the fitted values in order of appearance, ``covariance`` (k, k) is the scale matrix of their Student-t
    distribution with ``dof`` degrees of freedom (infinite: Gaussian, and the covariance proper), both in the units of the
    formula. ``open`` are groups of constants that the data do not determine at all, alone or only together; they have no finite
    standard error, whatever ``covariance`` says. ``slot`` (n_constant,) leads from the leaves to the constants, -1 for exact
    numbers. ``sigma`` is the noise of one row of weight 1, in the target's unit: known (the root mean square over rows) or
    sqrt(R/ν); for other likelihoods their scale, and 1 where they have none. ``prior_scale`` (k,) are the s of the module.
    ``log_evidence`` in nats, -inf where there are no more rows than constants and the noise is unknown.
    """

    theta: NDArray[np.float64]
    covariance: NDArray[np.float64]
    slot: NDArray[np.int64]
    dof: float
    sigma: float
    prior_scale: NDArray[np.float64]
    log_evidence: float
    open: tuple[tuple[int, ...], ...] = ()

    @cached_property
    def std(self) -> NDArray[np.float64]:
        """Standard errors (k,), the roots of the diagonal of ``covariance``; infinite for ``open`` constants."""
        out = np.sqrt(np.diag(self.covariance))
        out[[i for group in self.open for i in group]] = math.inf
        return out

    @cached_property
    def correlation(self) -> NDArray[np.float64]:
        """Correlation matrix (k, k)."""
        return correlation(self.covariance)

    def interval(self, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends (k,) of the central interval of each constant that holds it with probability ``level``:
        θ̂ ± t·std with the quantile t of Student's distribution."""
        half = student_quantile(0.5 + 0.5 * level, self.dof) * self.std
        return self.theta - half, self.theta + half

    @cached_property
    def unidentified(self) -> tuple[tuple[int, ...], ...]:
        """Groups that are ``open``, constants (i,) that the data leave as wide as their prior, and pairs (i, j) correlated by
        more than ``CORRELATED``."""
        open_ones = {i for group in self.open for i in group}
        alone = [i for i in range(len(self.theta)) if i not in open_ones and not self.std[i] < self.prior_scale[i]]
        pairs = (
            pair for pair in correlated(self.covariance) if not any(set(pair) <= set(group) for group in self.open)
        )
        return (*self.open, *((i,) for i in alone), *pairs)


def correlation(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation matrix (k, k) of a covariance."""
    std = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore"):
        return np.asarray(covariance / np.outer(std, std))


def correlated(covariance: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    """Pairs i < j whose correlation is beyond ``CORRELATED``."""
    rows, columns = np.nonzero(np.triu(np.abs(correlation(covariance)) > CORRELATED, 1))
    return tuple((int(i), int(j)) for i, j in zip(rows, columns, strict=True))


def student_quantile(p: float, dof: float) -> float:
    """The ``p`` quantile of Student's t distribution; NaN without degrees of freedom."""
    from scipy.special import ndtri, stdtrit

    if not dof > 0:
        return math.nan
    return float(ndtri(p) if math.isinf(dof) else stdtrit(dof, p))


def parameter_slots(e: Expression) -> NDArray[np.int64]:
    """Which constant each leaf (n_constant,) shows: numbers from 0 in order of appearance, leaves of one free name the same,
    -1 for exact ones."""
    slot = np.full(len(e.constants), -1, np.int64)
    names: dict[str, int] = {}
    count = 0
    for i in e.free:
        name = e.constants[i].name
        if name is not None and name in names:
            slot[i] = names[name]
            continue
        if name is not None:
            names[name] = count
        slot[i] = count
        count += 1
    return slot


def laplace(
    e: Expression, X: NDArray[np.float64], columns: Sequence[str], likelihood: Likelihood, sums: RowSums | None = None
) -> Laplace | None:
    """The approximation around the constants that ``e`` has, which must be fitted ones; None where ``e`` is undefined on
    some row of ``X`` (n_var, n_row), or its gradient is not finite or nothing in the range of numbers.

    ``sums`` are those of ``e`` where they are known already.
    """
    if sums is None:
        sums = RowSums.of(e, X, columns, likelihood, gradient=bool(e.free))
    if sums is None or not np.all(np.isfinite(sums.normal)):
        return None
    lines = partial(_lines, e, X, columns, likelihood)
    found = _peak(e, likelihood, sums, lines)
    if found is None:
        return None
    shape, width = found
    if not math.isfinite(shape.log_evidence):
        return shape
    peaks = equivalent_modes(e, shape.theta, shape.slot, width, X, columns)
    return shape if peaks == 1 else replace(shape, log_evidence=shape.log_evidence + math.log(peaks))


# A shape, and the covariance (k, k) that the prior takes part in: the width of the peak of the evidence.
Peak = tuple[Laplace, NDArray[np.float64]]


def _peak(e: Expression, likelihood: Likelihood, sums: RowSums, lines: Lines) -> Peak | None:
    """:func:`laplace` of the peak at the constants of ``e`` alone."""
    slot = parameter_slots(e)
    k = int(slot.max(initial=-1)) + 1
    which = (slot[None, :] == np.arange(k)[:, None]).astype(np.float64)
    theta = np.array([e.constants[int(np.argmax(row))].value for row in which])
    information = which @ sums.normal @ which.T
    if not isinstance(likelihood, Gaussian):
        shared = None if sums.shared is None else which @ sums.shared
        return _of_rows(theta, information, shared, slot, likelihood, sums, None if shared is not None else lines)
    w = likelihood.total_weight
    known = likelihood.sigma is not None
    rss = sums.rss if known else max(sums.rss, w * likelihood.floor**2)
    dof = math.inf if known else w - k
    variance = 1.0 if known else rss / dof if dof > 0 else math.inf
    scale = _natural_size(theta, np.diag(information), likelihood.rss(likelihood.y))
    log_prior = _log_prior(theta, scale)
    if not dof > 0:
        nothing = np.full((k, k), math.inf)
        return Laplace(theta, nothing, slot, dof, math.inf, scale, -math.inf), nothing
    prior = _prior_information(theta, scale, variance)
    solved, data = _inverted(information + prior), spread(information, prior, partial(lines, which))
    if solved is None or data is None:
        return None
    inverse, root, log_det = solved
    with np.errstate(over="ignore"):
        width = inverse * (math.sqrt(variance) / root) * (math.sqrt(variance) / root)[:, None]
        covariance = data.covariance * variance
    if known:
        fit = -likelihood.misfit(rss) + 0.5 * k * math.log(2.0 * math.pi)
    else:
        fit = -0.5 * dof * math.log(math.pi * rss) + math.lgamma(0.5 * dof) - math.log(2.0)
    noise, evidence = _row_noise(likelihood, variance), fit - 0.5 * log_det + log_prior
    return Laplace(theta, covariance, slot, dof, noise, scale, evidence, data.open), width


def _of_rows(
    theta: NDArray[np.float64],
    information: NDArray[np.float64],
    shared: NDArray[np.float64] | None,
    slot: NDArray[np.int64],
    likelihood: Likelihood,
    sums: RowSums,
    lines: Lines | None,
) -> Peak | None:
    """:func:`laplace` for likelihoods that are not Gaussian."""
    k = len(theta)
    which = (slot[None, :] == np.arange(k)[:, None]).astype(np.float64)
    scale = _natural_size(theta, np.diag(information), sums.size)
    rows = 0.5 * sums.scale_information
    dof = rows - k if rows else math.inf
    if not dof > 0:
        nothing = np.full((k, k), math.inf)
        return Laplace(theta, nothing, slot, dof, math.inf, scale, -math.inf), nothing
    prior = _prior_information(theta, scale)
    of_data, with_prior = information, information + prior
    if shared is not None and rows:
        taken = np.outer(shared, shared) / sums.scale_information
        # Away from the minimum what is left need not be positive.
        if np.all(np.linalg.eigvalsh(with_prior - taken) > 0):
            of_data, with_prior = of_data - taken, with_prior - taken
    solved = _inverted(with_prior)
    data = spread(of_data, prior, None if lines is None else partial(lines, which))
    if solved is None or data is None:
        return None
    inverse, root, log_det = solved
    wider = 1.0 + k / dof
    fit = -likelihood.misfit(sums.rss) + 0.5 * k * math.log(2.0 * math.pi)
    if rows:
        fit += 0.5 * math.log(math.pi / rows)
    sigma = sums.scale * math.sqrt(wider) if math.isfinite(sums.scale) else 1.0
    with np.errstate(over="ignore"):
        covariance, width = wider * data.covariance, wider * inverse / root / root[:, None]
    evidence = fit - 0.5 * log_det + _log_prior(theta, scale)
    return Laplace(theta, covariance, slot, dof, sigma, scale, evidence, data.open), width


def _lines(
    e: Expression, X: NDArray[np.float64], columns: Sequence[str], likelihood: Likelihood, which: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Derivatives (k, n) of the predictions whose products are the information, of ``SAMPLE`` rows at most as if all were like
    them; ``which`` (k, n_constant) adds up leaves. None where one is not finite."""
    n = X.shape[1]
    ratio = 1.0
    if n > SAMPLE:
        rows = np.linspace(0, n - 1, SAMPLE).round().astype(np.int64)
        X, likelihood, ratio = np.ascontiguousarray(X[:, rows]), likelihood.take(rows), n / SAMPLE
    with np.errstate(all="ignore"):
        if isinstance(likelihood, Gaussian):
            program = Program.of(e, columns)
            _, g = program.value_and_gradient(X, program.values)
            found = which @ g
            found = found if likelihood.root_weights is None else found * likelihood.root_weights
        elif isinstance(likelihood, RowLikelihood):
            p, each = likelihood.predict_with_gradient(e, X, columns)
            weight = likelihood.weigh(likelihood.derivatives(p, likelihood.find_scale(p)).information)
            found = np.concatenate([which @ g * np.sqrt(w) for g, w in zip(each, weight, strict=True)], axis=1)
        else:
            return None
    return found * math.sqrt(ratio) if np.all(np.isfinite(found)) else None


def _prior_information(
    theta: NDArray[np.float64], scale: NDArray[np.float64], variance: float = 1.0
) -> NDArray[np.float64]:
    """The prior's share of the information times ``variance``, 2/(s² + θ²) on the diagonal, without squares of sizes."""
    with np.errstate(over="ignore"):
        return np.diag(2.0 * (math.sqrt(variance) / np.hypot(scale, theta)) ** 2)


def _inverted(information: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float] | None:
    """The inverse of ``information`` with its diagonal scaled to 1, the roots of that diagonal, and log|information|; None
    where numbers overflow."""
    root = np.sqrt(np.diag(information))
    with np.errstate(all="ignore"):
        scaled = information / root / root[:, None]
    if not np.all(np.isfinite(scaled)):
        return None
    values, vectors = np.linalg.eigh(scaled)
    values = np.maximum(values, SINGULAR)
    return (vectors / values) @ vectors.T, root, float(np.sum(np.log(values)) + 2.0 * np.sum(np.log(root)))


def _log_prior(theta: NDArray[np.float64], scale: NDArray[np.float64]) -> float:
    return -float(np.sum(np.log(math.pi * scale) + np.log1p((theta / scale) ** 2)))


def sampled_sums(
    e: Expression, X: NDArray[np.float64], columns: Sequence[str], likelihood: Likelihood, misfit: float | None = None
) -> RowSums | None:
    """Sums of ``e`` for :func:`laplace`; with more than ``SAMPLE`` rows from that many, evenly spaced, as if all rows were like
    them, which changes standard errors by about a percent. ``rss`` is that of ``misfit``, which is of all rows, where it is
    given: the evidence depends on it strongly."""
    n = X.shape[1]
    if n <= SAMPLE:
        return RowSums.of(e, X, columns, likelihood, gradient=bool(e.free))
    rows = np.linspace(0, n - 1, SAMPLE).round().astype(np.int64)
    found = RowSums.of(e, np.ascontiguousarray(X[:, rows]), columns, likelihood.take(rows), gradient=bool(e.free))
    if found is None:
        return None
    ratio = n / SAMPLE
    rss = ratio * found.rss if misfit is None else likelihood.find_loss(misfit)
    return RowSums(
        rss,
        ratio * found.plain,
        ratio * found.slope,
        ratio * found.normal,
        found.scale,
        ratio * found.scale_information,
        ratio * found.size,
        None if found.shared is None else ratio * found.shared,
    )


def _natural_size(theta: NDArray[np.float64], information: NDArray[np.float64], norm: float) -> NDArray[np.float64]:
    """The scale s of each constant's prior, with ``norm`` the weighted sum of squares of the target; where no row depends on
    it, its own size (or 1)."""
    with np.errstate(all="ignore"):
        scale = np.sqrt(norm / information)
    return np.where(np.isfinite(scale) & (scale > 0), scale, np.where(theta != 0, np.abs(theta), 1.0))


def _row_noise(likelihood: Gaussian, variance: float) -> float:
    """Standard deviation of a row of weight 1: estimated, or the known ones' root mean square."""
    if likelihood.sigma is None:
        return math.sqrt(variance)
    return float(np.sqrt(np.average(likelihood.sigma**2, weights=likelihood.weights)))
