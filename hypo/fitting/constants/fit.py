"""Fitting constants: variable projection for the linear ones, Levenberg–Marquardt for the others, from many starts if asked.

Minimises the loss of a likelihood, which is the weighted residual sum of squares of
:class:`hypo.likelihood.base.Gaussian`, over the free constants of one expression. Leaves that share a name are one
parameter. Where many starts come from stands in :mod:`hypo.fitting.constants.other_minima`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.expression.expr import Expression
from hypo.fitting.constants import descent
from hypo.fitting.constants.other_minima import TOLERANCE, ends
from hypo.fitting.constants.parameters import Parameters
from hypo.fitting.constants.squares import DAMPINGS, Squares
from hypo.likelihood.base import Gaussian, Likelihood

__all__ = ["MAX_STEPS", "TIGHT", "TOLERANCE", "DescentOptions", "Parameters", "fit"]

MAX_STEPS = 60
# A step that gains less than this share of the sum of squares is the last: this asks for all digits there are.
TIGHT = 1e-26
# The residual of a better minimum is smaller by this share of itself,
CLEARLY = 1e-9
# and by this share of the target: less is rounding.
ROUNDING = 1e-14
# First minima found on few rows that go on to all rows whatever they are.
SURELY = 3
# Others go on with a sum of squares up to so many times the least,
HOPEFUL = 2.0
# so many in all.
GOING_ON = 16


@dataclass(frozen=True)
class DescentOptions:
    """How a minimum is approached: with up to ``steps`` steps, the last of which gains less than the share ``tolerance`` of the
    sum of squares. From the given values it is approached ``descents`` times, each more damped than the one before; 1 is enough
    near a minimum."""

    steps: int = MAX_STEPS
    tolerance: float = TOLERANCE
    descents: int = len(DAMPINGS)

    @property
    def is_tight(self) -> bool:
        """True if all digits there are are asked for."""
        return self.tolerance <= TIGHT


def fit(
    e: Expression,
    X: NDArray[np.float64],
    columns: Sequence[str],
    likelihood: Likelihood,
    *,
    starts: int = 1,
    rng: np.random.Generator | None = None,
    options: DescentOptions = DescentOptions(),
    clock: Expiring | None = None,
) -> Expression:
    """``e`` with its free constants at a minimum of the weighted residual sum of squares.

    The given values are the first start; ``starts > 1`` goes on from that many, drawn with ``rng``, for the parameters
    that enter non-linearly, while linear ones are always solved for. The result is never worse than the given constants. It
    stops with the best so far when ``clock`` has expired.

    Other likelihoods than the Gaussian one are minimised from the better of the given constants and those that fit the Gaussian
    problem which stands for them; with many starts from the minima of several such problems
    (:mod:`hypo.fitting.constants.descent`).
    """
    if not e.free:
        return e
    if not isinstance(likelihood, Gaussian):
        rows = descent.FitRows(X, columns, likelihood)
        working = fit(e, X, columns, likelihood.gaussian, options=options, clock=clock)
        found = descent.descend_from_better(e, working, rows, options.is_tight, clock)
        if starts < 2:
            return found
        rng = rng or np.random.default_rng(0)
        return descent.descend_from_elsewhere(found, e, rows, starts, rng, options.is_tight, clock)
    problem = Squares(e, X, columns, likelihood, clock)
    with np.errstate(all="ignore"):
        given = problem.parameters.start
        best, best_rss = given, problem.rss(given)
        start = problem.start(best_rss)
        dampings = problem.dampings[: options.descents]
        downhill = (problem.minimise(start, damping, options.steps, options.tolerance) for damping in dampings)
        others = _elsewhere(problem, start, starts, rng, options)
        for k, theta in enumerate(chain(downhill, others)):
            rss = problem.rss(theta)
            # Mirrored constants can fit as well; those nearest to what was given stay unless others are clearly better.
            margin = (1.0 - CLEARLY) * math.sqrt(best_rss) - ROUNDING * problem.norm if k else math.sqrt(best_rss)
            if math.sqrt(rss) < margin:
                best, best_rss = theta, rss
            if math.sqrt(best_rss) <= ROUNDING * problem.norm:
                break
    return e.with_values(problem.parameters.values(best, e.values))


def _elsewhere(
    problem: Squares, start: NDArray[np.float64], starts: int, rng: np.random.Generator | None, options: DescentOptions
) -> Iterator[NDArray[np.float64]]:
    """Minima from up to ``starts - 1`` other points than ``start``: what is best on few rows goes on to all."""
    if starts < 2 or problem.n_linear == len(problem.parameters.start):
        return
    least = math.inf
    for done, (level, theta) in enumerate(ends(problem, start, starts, rng or np.random.default_rng(0))):
        least = min(least, level)
        hopeful = done < SURELY or (done < GOING_ON and level <= HOPEFUL * least)
        if done >= starts - 1 or problem.expired or not (problem.few_are_all or hopeful):
            return
        yield problem.minimise(theta, DAMPINGS[0], options.steps, options.tolerance)
