"""Families of distributions of a target given a prediction: what a likelihood is called, and what new targets are like.

=============  ===========================  ============================  ===============================
kind           mean                         variance                      scale
=============  ===========================  ============================  ===============================
gaussian       f                            σ²                            σ
student_t      f (ν > 1)                    σ² ν/(ν-2) (ν > 2)            σ
poisson        f                            f                             none
binomial       n P, P = 1/(1 + exp(-f))     n P (1-P)                     none; n trials
lognormal      f exp(σ²/2)                  f² exp(σ²) (exp(σ²) - 1)      σ of log y
custom         f, as far as is known        unknown                       unknown
=============  ===========================  ============================  ===============================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.errors import InputError

Values = NDArray[np.float64]

GAUSSIAN, STUDENT_T, POISSON = "gaussian", "student_t", "poisson"
BINOMIAL, LOGNORMAL, CUSTOM = "binomial", "lognormal", "custom"
# Other names of the kinds that users may give.
NAMES = {
    "gaussian": GAUSSIAN,
    "normal": GAUSSIAN,
    "student_t": STUDENT_T,
    "student-t": STUDENT_T,
    "studentt": STUDENT_T,
    "poisson": POISSON,
    "binomial": BINOMIAL,
    "bernoulli": BINOMIAL,
    "lognormal": LOGNORMAL,
    "log-normal": LOGNORMAL,
    "log_normal": LOGNORMAL,
}
KINDS = (GAUSSIAN, STUDENT_T, POISSON, BINOMIAL, LOGNORMAL)
# Degrees of freedom of Student's t unless given: those of Lange, Little & Taylor (1989).
DOF = 4.0
# Rate from which counts are drawn as normal ones.
LARGE_RATE = 1e15
NOTHING_NEW = "a user's own likelihood says nothing of new targets, so there are no intervals or chances of them"
# What a formula is, where that is not the expected target.
FORMULA_IS = {
    STUDENT_T: "the formula is the location of the target",
    POISSON: "the formula is the rate, the expected count",
    BINOMIAL: "the formula is the log-odds of success, log(P/(1 - P))",
    LOGNORMAL: "the formula is the median of the target",
    CUSTOM: "the formula is what log_likelihood(y, f) takes for f",
}


@dataclass(frozen=True)
class Family:
    """One kind of distribution; ``dof`` is that of Student's t. ``f`` and ``scale`` broadcast in all methods.

    ``x_sigma`` are errors of columns, by name, that Gaussian targets have beside their own noise ``sigma``: root mean squares,
    in the units of the formulas.
    """

    kind: str = GAUSSIAN
    dof: float = DOF
    log_likelihood: Callable[[Values, Values], Values] | None = field(default=None, compare=False)
    sigma: float = field(default=math.nan, compare=False)
    x_sigma: Mapping[str, float] = field(default_factory=dict, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {"kind": self.kind, **({"dof": self.dof} if self.kind == STUDENT_T else {})}

    @staticmethod
    def read(row: Mapping[str, Any] | None) -> Family:
        """The family whose :meth:`as_dict` is ``row``; Gaussian for None, as in results of older versions."""
        if row is None:
            return Family()
        kind = row["kind"]
        if kind not in (*KINDS, CUSTOM):
            raise ValueError(f"the likelihood {kind!r} is not known")
        return Family(str(kind), float(row.get("dof", DOF)))

    @property
    def discrete(self) -> bool:
        """True if targets are whole numbers."""
        return self.kind in (POISSON, BINOMIAL)

    @property
    def has_variance(self) -> bool:
        """True if targets have a finite variance; those of Student's t with 2 degrees of freedom or fewer have none."""
        return self.kind != STUDENT_T or self.dof > 2.0

    @property
    def words(self) -> str:
        """A sentence on what is not Gaussian; empty if nothing."""
        if self.kind == GAUSSIAN:
            return ""
        name = f"student_t with {self.dof:g} degrees of freedom" if self.kind == STUDENT_T else self.kind
        return f"likelihood {name}: {FORMULA_IS[self.kind]}"

    def possible(self, f: Values) -> NDArray[np.bool_]:
        """Where predictions can be: finite, and above 0 for rates and medians of positive targets."""
        finite = np.isfinite(f)
        return finite & (f > 0) if self.kind in (POISSON, LOGNORMAL) else finite

    def mean(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """E(y | f)."""
        from scipy.special import expit

        if self.kind == BINOMIAL:
            return np.asarray(trials * expit(f))
        if self.kind == LOGNORMAL:
            return np.asarray(f * np.exp(0.5 * np.square(scale)))
        return np.asarray(f)

    def centre(self, f: Values, trials: ArrayLike = 1.0) -> Values:
        """The shown prediction of a formula: the chance of success for binomial targets, else f itself."""
        return self.mean(f, 0.0, trials) if self.kind == BINOMIAL else f

    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """Var(y | f)."""
        from scipy.special import expit

        square = np.square(np.asarray(scale, np.float64)) + np.zeros_like(f)
        if self.kind == STUDENT_T:
            return square * (self.dof / (self.dof - 2.0)) if self.dof > 2 else np.full(square.shape, math.inf)
        if self.kind == POISSON:
            return np.maximum(f, 0.0)
        if self.kind == BINOMIAL:
            return np.asarray(trials * expit(f) * expit(-f))
        if self.kind == LOGNORMAL:
            return f**2 * np.exp(square) * np.expm1(square)
        return square

    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """P(y ≤ t | f), elementwise; NaN where f is impossible.

        Raises InputError for a user's own likelihood, of which no distribution is known.
        """
        from scipy.special import expit, ndtr, stdtr

        t, f, scale = (np.asarray(v, np.float64) for v in (t, f, scale))
        with np.errstate(all="ignore"):
            if self.kind == GAUSSIAN:
                return np.asarray(ndtr((t - f) / scale))
            if self.kind == STUDENT_T:
                return np.asarray(stdtr(self.dof, (t - f) / scale))
            if self.kind == LOGNORMAL:
                below = np.asarray(ndtr((np.log(np.maximum(t, 0.0)) - np.log(np.where(f > 0, f, math.nan))) / scale))
                return np.where(t <= 0, np.where(f > 0, 0.0, math.nan), below)
            if self.kind == POISSON:
                from scipy.special import pdtr

                below = np.asarray(pdtr(np.floor(np.maximum(t, 0.0)), np.where(f > 0, f, math.nan)))
                return np.where((t < 0) & ~np.isnan(below), 0.0, below)
            if self.kind == BINOMIAL:
                from scipy.special import betainc

                n, k = np.asarray(trials, np.float64), np.floor(t)
                # The regularised incomplete beta function takes what bdtr refuses: trials as floats, and both tails.
                below = betainc(np.maximum(n - k, 0.5), np.maximum(k + 1.0, 0.5), expit(-f))
                below = np.where(k >= n, 1.0, np.where(k < 0, 0.0, below))
                return np.where(np.isnan(f), math.nan, below)
        raise InputError(NOTHING_NEW)

    def draw(self, rng: np.random.Generator, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """A target y | f for each f; NaN where f is impossible. Raises InputError for a user's own likelihood."""
        from scipy.special import expit

        known = self.possible(f)
        f = np.where(known, f, 1.0)
        scale = np.broadcast_to(np.asarray(scale, np.float64), f.shape)
        if self.kind == GAUSSIAN:
            y = rng.normal(f, scale)
        elif self.kind == STUDENT_T:
            y = f + scale * rng.standard_t(self.dof, f.shape)
        elif self.kind == LOGNORMAL:
            y = f * np.exp(scale * rng.standard_normal(f.shape))
        elif self.kind == POISSON:
            # numpy draws none beyond 9.2e18; long before it a normal one has the same distribution to rounding.
            counts = np.round(rng.normal(f, np.sqrt(f)))
            small = f < LARGE_RATE
            y = np.where(small, rng.poisson(np.where(small, f, 1.0)), counts)
        elif self.kind == BINOMIAL:
            y = rng.binomial(np.broadcast_to(np.asarray(trials), f.shape).astype(np.int64), expit(f)).astype(np.float64)
        else:
            raise InputError(NOTHING_NEW)
        return np.where(known, y, math.nan)

    def ends(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """The ``p`` quantile of y | f, or for whole numbers a number near it that no rounding puts more than one off."""
        from scipy.special import ndtri, stdtrit

        scale = np.asarray(scale, np.float64)
        if self.kind == STUDENT_T:
            return f + scale * stdtrit(self.dof, p)
        if self.kind == LOGNORMAL:
            return f * np.exp(scale * ndtri(p))
        if self.kind == POISSON:
            from scipy.special import pdtrik

            # pdtrik fails for large rates, where Cornish and Fisher's expansion is right to less than 1.
            z, large = ndtri(p), np.maximum(f, 1e-300)
            exact = np.maximum(pdtrik(p, np.minimum(large, 1e9)), 0.0)
            return np.ceil(np.nan_to_num(np.where(large < 1e9, exact, large + np.sqrt(large) * z + (z**2 - 1.0) / 6.0)))
        if self.kind == BINOMIAL:
            from scipy.special import expit
            from scipy.stats import binom

            return np.asarray(binom.ppf(p, trials, expit(f)), np.float64)
        return f + scale * ndtri(p)


def family_of(kind: Any, dof: Any = None, log_likelihood: Any = None) -> Family:
    """The family that a user asks for by name; raises InputError."""
    from numbers import Real

    if log_likelihood is not None:
        if kind not in (None, CUSTOM):
            raise InputError(f"give either a likelihood or log_likelihood, not both; got {kind!r} too")
        if not callable(log_likelihood):
            raise InputError(f"log_likelihood must be a function of y and f, got {log_likelihood!r}")
        kind = CUSTOM
    elif kind is None:
        kind = GAUSSIAN
    else:
        name = NAMES.get(str(kind).lower())
        if name is None:
            from difflib import get_close_matches

            near = get_close_matches(str(kind).lower(), NAMES, n=1)
            hint = f"did you mean {NAMES[near[0]]}? The" if near else "the"
            raise InputError(f"unknown likelihood {kind!r}; {hint} likelihoods are {', '.join(KINDS)}")
        kind = name
    if dof is None:
        return Family(kind, DOF, log_likelihood)
    if kind != STUDENT_T:
        raise InputError(f"dof is for the likelihood student_t only, got it with {kind}")
    if isinstance(dof, bool) or not isinstance(dof, Real) or not 0 < float(dof) < math.inf:
        raise InputError(f"dof must be a number above 0, got {dof!r}")
    return Family(kind, float(dof), None)
