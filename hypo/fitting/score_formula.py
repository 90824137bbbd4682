"""A formula that the user gives: its free constants fitted with care, scored like any other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hypo.clock import Clock, now
from hypo.expression.expr import Expression
from hypo.fitting.constants.fit import TIGHT, DescentOptions, Parameters, fit
from hypo.fitting.rule_checks import Rulebook
from hypo.knowledge.claims.claim import Verdict
from hypo.problem.problem import Problem, Settings
from hypo.scoring.score import Hypothesis

# Starts for each constant that enters non-linearly.
STARTS = 20
# Most steps from each.
STEPS = 2000


def score_formula(
    expression: Expression, problem: Problem, settings: Settings
) -> tuple[Hypothesis, tuple[Verdict, ...]] | None:
    """A given formula with its free constants refitted, scored like any other, and how it fares under each rule of the
    knowledge; None if undefined on some row. The rules do not change the fit.

    The fit begins at the values that the constants have, and then at others; it takes ``settings.time_limit`` at most.
    """
    e = expression
    if e.free:
        e = fit(
            e,
            problem.X,
            problem.columns,
            problem.likelihood,
            starts=STARTS * max(1, int(np.count_nonzero(~Parameters.of(e).linear))),
            rng=np.random.default_rng(settings.seed),
            options=DescentOptions(steps=STEPS, tolerance=TIGHT),
            clock=Clock(deadline=now() + settings.time_limit),
        )
    scorer = problem.scorer(settings)
    # A formula given by the user is shown with its violations, not removed for them.
    shown = scorer.violation

    def soft(x: Expression) -> tuple[float, bool]:
        return (shown(x)[0], False) if shown is not None else (0.0, False)

    found = replace(scorer, violation=soft, max_complexity=math.inf).score(e)
    return None if found is None else Rulebook(problem, settings.lam).check_for_show(found)
