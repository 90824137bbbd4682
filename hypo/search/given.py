"""A formula that the user gives: its free constants fitted with care, scored like any other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hypo.expression.expr import Expression
from hypo.scoring.score import Hypothesis
from hypo.search.constants import fit
from hypo.search.problem import Problem, Settings


def score_formula(expression: Expression, problem: Problem, settings: Settings) -> Hypothesis | None:
    """A given formula with its free constants refitted, scored like any other; None if undefined on some row."""
    e = expression
    if e.free:
        rng = np.random.default_rng(settings.seed)
        with np.errstate(all="ignore"):
            e = fit(e, problem.X, problem.columns, problem.likelihood, starts=24, rng=rng, steps=400)
    scorer = problem.scorer(settings)
    # A formula given by the user is shown with its violations, not removed for them.
    shown = scorer.violation

    def soft(x: Expression) -> tuple[float, bool]:
        return (shown(x)[0], False) if shown is not None else (0.0, False)

    return replace(scorer, violation=soft, max_complexity=math.inf).score(e)
