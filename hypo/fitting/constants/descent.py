"""Fits to likelihoods that are not Gaussian: downhill by Gauss–Newton steps, and from many starts.

Least squares finds starts fast. So several Gaussian problems stand for the likelihood
(:func:`hypo.problem.working_response.working_responses`), the minima of each on few rows are moved downhill in the
likelihood itself for some steps, and the best go on, on all rows and until they have converged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.constants.other_minima import ends
from hypo.fitting.constants.parameters import Parameters
from hypo.fitting.constants.squares import SCREEN_ROWS, Squares
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.problem.working_response import working_responses
from hypo.scoring.row_sums import RowSums

Values = NDArray[np.float64]

# Most steps ordinarily.
STEPS = 30
# Most on few rows.
SHORT_STEPS = 12
# Most on all rows, after those on few.
LONG_STEPS = 60
# Most at the end.
MANY_STEPS = 500
# Damped steps tried for each step.
TRIALS = 10
# First damping, as a share of the information.
DAMPING = 1e-4
# Least damping.
LEAST_DAMPING = 1e-10
# Gain of the last step, in nats.
LAST_NATS = 1e-4
# The same where all digits are wanted.
TIGHT_NATS = 1e-13
# Minima of Gaussian problems that are tried on few rows.
MOST_MINIMA = 32
# How many of them go on to all rows.
MOST_FOLLOWED = 6
# First minima of each problem that are made possible where they are not.
MADE_POSSIBLE = 12
# Shares of a possible prediction that an impossible one is mixed with.
MIXED = 0.1, 0.3, 0.6, 1.0


class FitRows(NamedTuple):
    """Rows ``X`` (n_var, n_row) of a fit, with ``columns`` naming its lines, and their likelihood."""

    X: Values
    columns: Sequence[str]
    likelihood: Likelihood

    def take(self, chosen: NDArray[np.int64]) -> FitRows:
        """Some of the rows."""
        return FitRows(np.ascontiguousarray(self.X[:, chosen]), self.columns, self.likelihood.take(chosen))

    def loss(self, e: Expression) -> float:
        """The loss of a formula with the constants that it has."""
        return self.likelihood.loss(self.likelihood.predict(e, self.X, self.columns))


def descend_from_better(
    e: Expression, working: Expression, rows: FitRows, tight: bool, clock: Expiring | None
) -> Expression:
    """The minimum downhill from the better of ``e`` and ``working``, the one that fits the working response."""
    with np.errstate(all="ignore"):
        better = e if rows.loss(e) <= rows.loss(working) else working
        steps, last = (MANY_STEPS, TIGHT_NATS) if tight else (STEPS, LAST_NATS)
        return descend(better, *rows, steps, last, clock)


def descend_from_elsewhere(
    e: Expression,
    given: Expression,
    rows: FitRows,
    starts: int,
    rng: np.random.Generator,
    tight: bool,
    clock: Expiring | None,
) -> Expression:
    """``e``, or the best of the minima from ``starts`` starts around the constants of ``given``, and elsewhere."""
    with np.errstate(all="ignore"):
        e = _find_better(e, given, rows, working_responses(rows.likelihood, rows.X), starts, rng, clock)
        # Once more with weights that the first answer tells better.
        e = _find_better(e, given, rows, _around(e, *rows), starts, rng, clock)
        return descend(e, *rows, MANY_STEPS, TIGHT_NATS if tight else LAST_NATS, clock)


def _find_better(
    e: Expression,
    given: Expression,
    rows: FitRows,
    known: Sequence[Gaussian],
    starts: int,
    rng: np.random.Generator,
    clock: Expiring | None,
) -> Expression:
    """``e``, or the best of the minima downhill from those of the Gaussian problems ``known`` where that is better."""
    n = rows.X.shape[1]
    chosen = np.arange(n) if n <= SCREEN_ROWS else np.sort(rng.permutation(n)[:SCREEN_ROWS])
    few = rows.take(chosen)
    begun: list[tuple[float, int, Expression]] = []
    for working in known:
        problem = Squares(given, rows.X, rows.columns, working, clock)
        for k, (_, theta) in enumerate(ends(problem, problem.parameters.start, starts, rng)):
            x = e.with_values(problem.parameters.values(theta, e.values))
            its = few.loss(x)
            if not its < np.inf and k < MADE_POSSIBLE:
                x = _possible(x, *few)
                its = few.loss(x)
            begun.append((its, len(begun), x))
    tried: list[tuple[float, int, Expression]] = []
    for _, k, x in sorted(begun)[:MOST_MINIMA]:
        x = descend(x, *few, SHORT_STEPS, LAST_NATS, clock)
        tried.append((few.loss(x), k, x))
        if clock is not None and clock.expired:
            break
    best, least = e, rows.loss(e)
    for _, _, x in sorted(tried)[:MOST_FOLLOWED]:
        x = descend(x, *rows, LONG_STEPS, LAST_NATS, clock)
        its = rows.loss(x)
        if its < least - 2.0 * LAST_NATS:
            best, least = x, its
        if clock is not None and clock.expired:
            break
    return best


def _around(e: Expression, X: Values, columns: Sequence[str], likelihood: Likelihood) -> tuple[Gaussian, ...]:
    """The Gaussian problem that agrees to second order with the likelihood at the predictions of ``e``; none where these are
    impossible."""
    if not isinstance(likelihood, RowLikelihood):
        return ()
    target, sigma = likelihood.expand(likelihood.predict(e, X, columns))
    usable = np.all(np.isfinite(target)) and np.all(np.isfinite(sigma)) and np.all(sigma > 0)
    return (Gaussian(target, sigma, likelihood.weights),) if usable else ()


def _possible(e: Expression, X: Values, columns: Sequence[str], likelihood: Likelihood) -> Expression:
    """``e`` with its linear constants moved so that the likelihood is defined, as far as coefficients of one sign do it: rates
    and medians are above 0."""
    from scipy.optimize import nnls

    parameters = Parameters.of(e)
    slots = [i for i, p in enumerate(parameters.slot) if p >= 0 and parameters.linear[p]]
    if not slots:
        return e
    program = Program.of(e, columns)
    f, gradient = program.value_and_gradient(X, program.values)
    lines = gradient[slots]
    sign = np.where(np.all(lines >= 0, axis=1), 1.0, np.where(np.all(lines <= 0, axis=1), -1.0, 0.0))
    working = likelihood.gaussian
    root = 1.0 if working.root_weights is None else working.root_weights
    rest = f - program.values[slots] @ lines
    A, b = (lines * sign[:, None] * root).T, (working.y - rest) * root
    if not (np.all(np.isfinite(A)) and np.all(np.isfinite(b))):
        return e
    size = np.sqrt(np.sum(A**2, axis=0))
    size[size == 0] = 1.0
    found = sign * nnls(A / size, b)[0] / size
    for share in MIXED:
        values = program.values.copy()
        values[slots] += share * (found - values[slots])
        x = e.with_values(values)
        if np.isfinite(likelihood.loss(likelihood.predict(x, X, columns))):
            return x
    return e


def descend(
    e: Expression,
    X: NDArray[np.float64],
    columns: Sequence[str],
    likelihood: Likelihood,
    steps: int,
    last: float,
    clock: Expiring | None,
) -> Expression:
    """``e`` with its constants moved downhill to a minimum of the loss, by up to ``steps`` Gauss–Newton steps, damped where
    they fail, until one gains less than ``last`` nats."""
    at = RowSums.of(e, X, columns, likelihood, clock=clock)
    if at is None:
        return e
    parameters = Parameters.of(e)
    to = np.zeros((len(parameters.start), len(e.constants)))
    to[parameters.slot[parameters.slot >= 0], np.flatnonzero(parameters.slot >= 0)] = 1.0
    theta, damping = parameters.start, DAMPING
    for _ in range(steps):
        slope, normal = to @ at.slope, to @ at.normal @ to.T
        if not (np.all(np.isfinite(normal)) and np.all(np.isfinite(slope))):
            break
        scale = np.sqrt(np.maximum(np.diag(normal), 0.0))
        scale[scale == 0.0] = 1.0
        scaled, down = normal / np.outer(scale, scale), slope / scale
        better = None
        for _ in range(TRIALS):
            damped = scaled + damping * np.eye(len(theta))
            step = np.linalg.solve(damped, down) / scale
            promise = float(slope @ step)
            if promise <= 0.1 * last or (clock is not None and clock.expired):
                break
            new = e.with_values(parameters.values(theta + step, e.values))
            if likelihood.loss(likelihood.predict(new, X, columns)) < at.rss:
                better = RowSums.of(new, X, columns, likelihood, clock=clock)
                break
            damping = max(10.0 * damping, DAMPING)
        if better is None:
            break
        # Some damping stays: constants that only matter together would leave the matrix without an inverse.
        gain, damping = 0.5 * (at.rss - better.rss), max(0.1 * damping, LEAST_DAMPING)
        e, theta, at = new, theta + step, better
        if gain < last:
            break
    return e
