"""Tells if the answer of a search is one of the user's guesses, so that it can be shown in their form and with their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hypo.expression.program import Program
from hypo.fitting.constants.fit import TIGHT, DescentOptions, fit
from hypo.likelihood.base import Gaussian
from hypo.posterior.laplace import parameter_slots
from hypo.posterior.posterior import weigh

if TYPE_CHECKING:
    from hypo.expression.expr import Expression
    from hypo.posterior.posterior import Posterior
    from hypo.problem.problem import Problem
    from hypo.scoring.score import Hypothesis

# Predictions nearer than this share of the noise are the same.
OF_NOISE = 1e-3
# Predictions nearer than this share of the largest of them are the same.
OF_SIZE = 1e-9
# The same for fits to predictions.
VARIANT = 1e-7


def own_guess(
    best: Hypothesis, guessed: Sequence[Hypothesis | None], problem: Problem
) -> tuple[int, Hypothesis] | None:
    """The number of the guess that ``best`` is, with the guess in its place: the user's form, and constants by their names.

    It is one if both have as many fitted constants and predict the same on all rows. None where it is no guess.
    """
    count = _count_fitted(best.expression)
    target = Program.of(best.expression, problem.columns).value(problem.X)
    near = OF_NOISE * best.rmse + OF_SIZE * float(np.max(np.abs(target)))
    for number, h in enumerate(guessed):
        if h is None or _count_fitted(h.expression) != count or h.misfit > best.misfit + 1.0:
            continue
        e = h.expression
        with np.errstate(all="ignore"):
            if e.free:
                e = fit(e, problem.X, problem.columns, problem.likelihood, options=DescentOptions(tolerance=TIGHT))
            values = Program.of(e, problem.columns).value(problem.X)
        if np.all(np.abs(values - target) <= near):
            return number, replace(best, expression=e)
    return None


def is_variant(best: Hypothesis, guess: Hypothesis | None, problem: Problem) -> bool:
    """True if ``best`` is what a guess is with exact numbers for some of its constants: fitted to the predictions of ``best``
    the guess meets them."""
    if guess is None or not _count_fitted(best.expression) < _count_fitted(guess.expression):
        return False
    with np.errstate(all="ignore"):
        target = Program.of(best.expression, problem.columns).value(problem.X)
        e = fit(guess.expression, problem.X, problem.columns, Gaussian(target), options=DescentOptions(tolerance=TIGHT))
        gap = np.abs(Program.of(e, problem.columns).value(problem.X) - target)
    return bool(np.all(gap <= VARIANT * np.max(np.abs(target))))


def _count_fitted(e: Expression) -> int:
    """How many numbers are fitted; those of one name are one."""
    return len(set(parameter_slots(e)) - {-1})


def in_own_form(posterior: Posterior | None, old: Hypothesis, new: Hypothesis, problem: Problem) -> Posterior | None:
    """The posterior with the structure of ``old`` in the form of ``new``, which is the same law; its weight stays."""
    if posterior is None:
        return None
    shape = weigh(new, problem.X, problem.columns, problem.likelihood)
    if shape is None:
        return posterior
    return replace(
        posterior,
        structures=tuple(
            replace(shape, weight=s.weight, odds=s.odds, nats=s.nats) if s.expression == old.expression else s
            for s in posterior.structures
        ),
    )
