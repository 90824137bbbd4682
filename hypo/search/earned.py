"""Checks that a search earned what its weights say: how much of the space it met, whether it was cut, and what residuals say.

Weights are shares among the formulas that were met. They tell how likely a formula is only where its rivals were looked for
(all formulas of its size and less, or chains over structures that agree), where the rows can tell it from them, and where the
residuals are noise: a law that was missed leaves more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from hypo.fitting.row_racing import sample_problem
from hypo.problem.problem import PYSR
from hypo.problem.repeated_rows import repeated_rows
from hypo.problem.residual_structure import lack_of_fit
from hypo.search.outcome import StopReason
from hypo.search.stopping import FEW, NOISE, STRUCTURE, UNSEEN, residuals_say

if TYPE_CHECKING:
    from hypo.posterior.posterior import Posterior
    from hypo.problem.problem import Problem, Settings
    from hypo.scoring.score import Hypothesis
    from hypo.search.outcome import Outcome

# Formulas of so many nodes must have been looked through whatever the size of the best one.
AT_LEAST = 5
# Degrees of freedom that must be left.
LEFT = 5
# Rows that are looked at for equal ones.
COUNTED = 5000
# R² below which a law may have been missed, where nobody can see whether residuals are noise.
LOW = 0.9
# A weight of a structure that says too much there.
MUCH = 0.9
# Residuals larger than the noise that was given by this factor are no noise,
FACTOR = 1.5
# if they are so by so many standard errors of χ².
SURE = 5.0

# The chance below which differences between repeated rows and others count as structure.
UNLIKELY = 1e-3

NO_WEIGHTS = "how likely this formula is cannot be said"


def unearned(outcome: Outcome, problem: Problem, settings: Settings, posterior: Posterior) -> str:
    """Why the weights of ``posterior`` are not earned, and what would help, in a sentence without its full stop; empty where
    they are."""
    best = outcome.best
    if best is None:
        return ""
    if outcome.status == StopReason.INTERRUPTED:
        return f"the search was too short to weigh rivals: it was interrupted, so {NO_WEIGHTS}; let it run to its end"
    reasons = _rows(best, problem)
    if outcome.status != StopReason.EXACT:
        reasons = chain(reasons, _reasons(outcome, best, problem, settings, posterior))
    return next(reasons, "")


def _rows(best: Hypothesis, problem: Problem) -> Iterator[str]:
    """Too few rows for the size of the formula."""
    rows = repeated_rows(problem.X[:, :COUNTED])[1]
    size, fitted = len(best.expression), len({c.name or k for k, c in enumerate(best.expression.constants) if c.free})
    if rows <= size or rows - fitted < LEFT:
        yield (
            f"{rows} different {'row is' if rows == 1 else 'rows are'} too few to weigh rivals of a formula with {size} "
            f"{'node' if size == 1 else 'nodes'}, so {NO_WEIGHTS}; more rows would help"
        )


def _reasons(
    outcome: Outcome, best: Hypothesis, problem: Problem, settings: Settings, posterior: Posterior
) -> Iterator[str]:
    """Other things that are missing, the plainest first."""
    size = len(best.expression)
    if not outcome.complete_to:
        help_ = "give it more time"
        if settings.backend == PYSR:
            help_ = 'the backends "native" and "all" look through all small formulas'
        elif problem.template is not None:
            help_ = "a search for the parts of a template never does so"
        yield f"the search was too short to weigh rivals: it looked through no size of formulas completely; {help_}"
    needed = min(max(size, AT_LEAST), problem.max_complexity)
    walked = outcome.explored.chain
    settled = bool(walked and walked["mixed"])
    said = _residuals(best, problem, settings)
    if outcome.covered_to < needed and not (settled and said == NOISE):
        nodes = "1 node" if size == 1 else f"{size} nodes"
        yield (
            f"the search was too short to weigh rivals: the formula has {nodes}, and of those with more than "
            f"{outcome.covered_to} not all were looked at; more time would help, or fewer operators and columns"
        )
    much = posterior.structures[0].weight > MUCH
    if not walked and said != NOISE and much and not problem.has_many_rows:
        yield (
            f"the search was too short to weigh rivals: it had no time left to look around the formula, so {NO_WEIGHTS}; "
            "give it more"
        )
    if walked and not settled:
        yield f"the search was too short to weigh rivals: {walked['verdict']}; more time would help"
    if (times := _above_the_noise(best, problem)) is not None:
        yield (
            f"the residuals are {times:.2g} times the noise that was given, so the law was probably not met and {NO_WEIGHTS}; "
            "more time or more operators would help, or a larger sigma if it is too small"
        )
    if said == STRUCTURE:
        yield (
            f"the residuals still follow the columns, so the law was probably not met and {NO_WEIGHTS}; more time, more "
            "operators or a missing column would help"
        )
    if said != NOISE and problem.likelihood.can_be_exact and best.r2 < LOW and much:
        yield (
            f"{len(problem.y)} rows do not tell whether what the formula leaves (R² {best.r2:.2f}) is noise or a law that was "
            f"missed, so {NO_WEIGHTS}; more rows, rows measured twice, or the noise (sigma) would help"
        )


def _residuals(best: Hypothesis, problem: Problem, settings: Settings) -> str:
    """As :func:`hypo.search.stopping.residuals_say`; rows that were measured more than once say more."""
    problem = sample_problem(problem, settings.seed)
    said = residuals_say(best, problem, settings)
    residuals = problem.likelihood.standardised_residual(
        problem.likelihood.predict(best.expression, problem.X, problem.columns)
    )
    chance = lack_of_fit(residuals, problem.X, len(best.expression.free))
    if chance is not None and chance < UNLIKELY:
        return STRUCTURE
    return NOISE if chance is not None and said in (FEW, UNSEEN) else said


def _above_the_noise(best: Hypothesis, problem: Problem) -> float | None:
    """How many times the noise that was given the residuals are, where that is no chance; else None."""
    if problem.likelihood is not problem.gaussian or not problem.gaussian.is_noise_known:
        return None
    likelihood, n = problem.likelihood, len(problem.y)
    left = likelihood.total_weight * (1.0 - min(len(best.expression.free) / n, 0.9))
    chi2 = likelihood.loss(likelihood.predict(best.expression, problem.X, problem.columns)) / left
    times = math.sqrt(chi2)
    return times if times > FACTOR and chi2 - 1.0 > SURE * math.sqrt(2.0 / n) and np.isfinite(times) else None
