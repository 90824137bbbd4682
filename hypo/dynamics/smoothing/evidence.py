"""The likeliest Gaussian process for a state: one length, one ratio of noise to signal, one scale for all runs.

Samples y_i = z(t_i) + ε_i with z ~ GP(0, s²·k) around a mean of each run, ε_i ~ N(0, r·s²·v_i). Moments of c_i samples have
noise r·s²·v_i/c_i. With ρ_i = √(c_i/v_i) and diag(ρ) K diag(ρ) = Q diag(λ) Qᵀ, made once for each length, every ratio r costs
O(n):

    -2 log p = N log s² + Σ log(λ_i + r) + (N - n) log r + Σ c_i log v_i + N (1 + log 2π) + 2·prior
    s² = (1/N) [Σ (Qᵀ ρ(y - ȳ))_i²/(λ_i + r) + scatter/r]

with N samples at n moments (groups of neighbours have the freedom of their repeated measurements only), sums over all runs.
Plain values compete with logarithms (whose likelihood has the Jacobian Σ log y), even noise with noise in proportion to the
value, and time as it is with stretched time.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from hypo.clock import Expiring
from hypo.dynamics.smoothing.coordinates import Coordinates
from hypo.dynamics.smoothing.process import Process, covariance
from hypo.dynamics.smoothing.samples import Moments

Values = NDArray[np.float64]

# Length scales: from less than a step of the samples to more than the duration, each this many times the last.
LEAST_STEPS = 0.7
MOST_SPANS = 2.0
LENGTH_FACTOR = 1.3
# Least length as a share of the duration.
LEAST_SPANS = 0.004
# Lengths of a few steps, which look like noise, are unlikely beforehand: from this many steps on prior nats grow as ...
SHORT_STEPS = 6.0
# ... this times the squared logarithm of what is missing.
SHORT_NATS = 2.0
# Ratios of noise variance to signal variance; the least stands for data without noise.
RATIOS = np.concatenate([[1e-12, 1e-10, 1e-8], np.geomspace(1e-7, 1.0, 22)])
# Origins of stretched time log(1 + t/t₀), as shares of the duration; none first.
WARPS = (math.inf, 0.3, 0.05)
# A positive state whose values spread by this factor or more may be smoothed as its logarithm.
LOG_SPREAD = 3.0
# Least noise where it is in proportion to the value, as shares of the noise at the root mean square of the values.
FLOORS = (0.02, 0.2)
# Places to either side of the likeliest length that are tried with proportional noise, in steps of the grid of lengths.
NEAR = (-2, -1, 0, 1, 2)
# Numbers in decompositions that are kept for other states measured at the same moments: 128 MB.
MOST_KEPT = 16_000_000


@dataclass(frozen=True)
class Choice:
    """Coordinates and kernel of a state.

    Attributes:
        origin: t₀ of stretched time, inf for time as it is.
        is_log: True where logarithms are smoothed.
        length: of the kernel, in stretched time.
        ratio: noise variance over process variance.
        scale: process variance s².
        floor: least noise where it is in proportion to the value, in units of the state; None: noise is even.
        level: root mean square of noise profile's base, so that v has mean 1 over the samples; 1 for even noise.
        log_likelihood: of all samples.
    """

    origin: float
    is_log: bool
    length: float
    ratio: float
    scale: float
    floor: float | None
    level: float
    log_likelihood: float

    def profile(self, value: Values) -> Values:
        """v: noise variances in units of ratio·scale at smoothed values of the state."""
        if self.floor is None:
            return np.ones_like(value)
        return np.asarray((value**2 + self.floor**2) / self.level**2)

    def coordinates(self, begin: float) -> Coordinates:
        """Those of a run that begins at ``begin``."""
        return Coordinates(begin, self.origin, self.is_log)

    def process(self, m: Moments, begin: float, value: Values | None) -> Process:
        """The process after the samples of a run, with noise by the smoothed ``value`` at its moments (None: even)."""
        c = self.coordinates(begin)
        w = c.warp(m.time)[0]
        z = c.smoothed(m.mean)
        mean = float(np.average(z, weights=m.count))
        root = np.sqrt(m.count / (np.ones_like(z) if value is None else self.profile(value)))
        K = covariance(w, w, self.length) * np.outer(root, root)
        K[np.diag_indices_from(K)] += self.ratio
        try:
            # K = LLᵀ: a tenth of the work of eigenvalues.
            whitened = solve_triangular(cholesky(K, lower=True), np.eye(len(w)), lower=True).T
        except np.linalg.LinAlgError:
            lam, Q = np.linalg.eigh(K)
            whitened = Q / np.sqrt(np.maximum(lam, self.ratio))
        half = root[:, None] * whitened
        return Process(w, half, half @ (half.T @ (z - mean)), mean, self.length, self.scale)


@dataclass(frozen=True)
class _Form:
    """Transformed samples of all runs, and their noise profiles."""

    is_log: bool
    z: tuple[Values, ...]
    scatter: tuple[Values, ...]
    profiles: tuple[Values, ...]
    floor: float | None = None
    level: float = 1.0


@dataclass
class Spectra:
    """Decompositions of kernel matrices, which states have in common that were measured at the same moments; those that were
    not used for longest go first."""

    kept: OrderedDict[bytes, tuple[Values, Values]] = field(default_factory=OrderedDict)
    size: int = 0

    def of(self, w: Values, root: Values, length: float) -> tuple[Values, Values]:
        """Eigenvalues (n,) and vectors (n, n) of the kernel matrix at places (n,), scaled by ``root`` (n,) from both sides."""
        key = b"".join((np.float64(length).tobytes(), w.tobytes(), root.tobytes()))
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key]
        lam, Q = np.linalg.eigh(covariance(w, w, length) * np.outer(root, root))
        self.kept[key] = np.maximum(lam, 0.0), Q
        self.size += Q.size
        while self.size > MOST_KEPT and len(self.kept) > 1:
            self.size -= self.kept.popitem(last=False)[1][1].size
        return self.kept[key]


def choose(runs: Sequence[Moments], spectra: Spectra, clock: Expiring | None = None) -> Choice:
    """The likeliest choice for the samples of all runs; once ``clock`` has expired the likeliest of a few.

    Args:
        runs: samples of one state.
        spectra: decompositions that other states may have made, and that others may use.
        clock: time for comparisons; None: there is enough.
    """
    span = max(float(m.time[-1] - m.time[0]) for m in runs)
    ones = tuple(np.ones(len(m)) for m in runs)
    forms = [_Form(False, tuple(m.mean for m in runs), tuple(m.scatter for m in runs), ones)]
    least, most = min(m.mean.min() for m in runs), max(m.mean.max() for m in runs)
    if least > 0 and most > LOG_SPREAD * least:
        # Scatter of logarithms, to first order.
        relative = tuple(m.scatter / m.mean**2 for m in runs)
        forms.append(_Form(True, tuple(np.log(m.mean) for m in runs), relative, ones))
    found: dict[tuple[float, bool], tuple[Choice, int]] = {}
    for share in WARPS:
        if found and _is_late(clock):
            break
        for choice, k in _best_lengths(runs, forms, share * span, spectra, clock):
            found[share, choice.is_log] = choice, k
    best = max(found.values(), key=lambda each: each[0].log_likelihood)[0]
    plain, k = max((each for (_, is_log), each in found.items() if not is_log), key=lambda each: each[0].log_likelihood)
    for form in _proportional(runs, plain):
        lengths = _lengths(runs, plain.origin)
        for j in NEAR:
            if 0 <= k + j < len(lengths) and not _is_late(clock):
                other = _evidence(runs, [form], plain.origin, lengths[k + j], spectra)[0]
                best = max(best, other, key=lambda each: each.log_likelihood)
    return best


def _is_late(clock: Expiring | None) -> bool:
    return clock is not None and clock.expired


def _proportional(runs: Sequence[Moments], plain: Choice) -> list[_Form]:
    """Forms whose noise is in proportion to the path that even noise gave."""
    paths = []
    for m in runs:
        p = plain.process(m, float(m.time[0]), None)
        paths.append(p.means(p.nodes)[0])
    counts = np.concatenate([m.count for m in runs])
    size = math.sqrt(float(np.average(np.concatenate(paths) ** 2, weights=counts)))
    if size == 0:
        return []
    out = []
    for share in FLOORS:
        level = size * math.sqrt(1 + share**2)
        form = _Form(False, tuple(m.mean for m in runs), tuple(m.scatter for m in runs), (), share * size, level)
        out.append(replace(form, profiles=tuple((p**2 + form.floor**2) / level**2 for p in paths)))  # type: ignore[operator]
    return out


def _lengths(runs: Sequence[Moments], origin: float) -> Values:
    """The grid of length scales in stretched time."""
    warped = [Coordinates(float(m.time[0]), origin).warp(m.time)[0] for m in runs]
    span = max(float(w[-1]) for w in warped)
    step = _step(runs, origin)
    least = max(LEAST_STEPS * step, LEAST_SPANS * span)
    n = 1 + math.ceil(math.log(MOST_SPANS * span / least) / math.log(LENGTH_FACTOR))
    return np.asarray(MOST_SPANS * span / LENGTH_FACTOR ** np.arange(n)[::-1])


def _step(runs: Sequence[Moments], origin: float) -> float:
    """Median step of the samples in stretched time."""
    return float(
        np.median(np.concatenate([np.diff(Coordinates(float(m.time[0]), origin).warp(m.time)[0]) for m in runs]))
    )


def _best_lengths(
    runs: Sequence[Moments], forms: Sequence[_Form], origin: float, spectra: Spectra, clock: Expiring | None
) -> list[tuple[Choice, int]]:
    """For each form the likeliest choice and the place of its length: every third length, then those next to the best."""
    lengths = _lengths(runs, origin)
    tried: dict[int, list[Choice]] = {}

    def evaluate(k: int) -> list[Choice]:
        if k not in tried:
            tried[k] = _evidence(runs, forms, origin, lengths[k], spectra)
        return tried[k]

    coarse = sorted({*range(0, len(lengths), 3), len(lengths) - 1})
    out = []
    for f in range(len(forms)):
        best = max(coarse, key=lambda k: evaluate(k)[f].log_likelihood)
        for step in (2, 1):
            if _is_late(clock):
                break
            near = [k for k in (best - step, best, best + step) if 0 <= k < len(lengths)]
            best = max(near, key=lambda k: evaluate(k)[f].log_likelihood)
        out.append((evaluate(best)[f], best))
    return out


def _evidence(
    runs: Sequence[Moments], forms: Sequence[_Form], origin: float, length: float, spectra: Spectra
) -> list[Choice]:
    """For each form the likeliest ratio and scale at a length."""
    step = _step(runs, origin)
    out = []
    for form in forms:
        square, logs, constant, n_freedom, n_moment, scatter = 0.0, 0.0, 0.0, 0.0, 0, 0.0
        for m, z, s, v in zip(runs, form.z, form.scatter, form.profiles, strict=True):
            root = np.sqrt(m.count / v)
            w = Coordinates(float(m.time[0]), origin).warp(m.time)[0]
            lam, Q = spectra.of(w, root, length)
            c = (Q.T @ (root * (z - np.average(z, weights=m.count)))) ** 2
            denominators = lam[None, :] + RATIOS[:, None]
            square = square + (c / denominators).sum(1)
            logs = logs + np.log(denominators).sum(1)
            scatter += float((s / v).sum())
            constant += float(((1 + m.freedom) * np.log(v)).sum())
            constant += 2 * float(((1 + m.freedom) * z).sum()) if form.is_log else 0.0
            n_freedom += float(m.freedom.sum())
            n_moment += len(m)
        n_sample = n_moment + n_freedom
        scale = np.maximum((square + scatter / RATIOS) / n_sample, 1e-300)
        ll = -0.5 * (
            n_sample * np.log(scale)
            + logs
            + n_freedom * np.log(RATIOS)
            + constant
            + n_sample * (1 + math.log(2 * math.pi))
        )
        ll -= SHORT_NATS * max(0.0, math.log(SHORT_STEPS * step / length)) ** 2
        k = int(np.argmax(ll))
        out.append(
            Choice(origin, form.is_log, length, float(RATIOS[k]), float(scale[k]), form.floor, form.level, float(ll[k]))
        )
    return out
