"""Why a guess of the user cannot be the answer, or pays: rows where it has no value, or what it breaks once it is fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hypo.expression.program import Program
from hypo.fitting.between_rows.aliases import slower
from hypo.fitting.between_rows.definedness import sound
from hypo.fitting.rule_checks import Rulebook
from hypo.knowledge.hard_violations import hard_breach
from hypo.report.formatting import format_nats

if TYPE_CHECKING:
    from hypo.expression.expr import Expression
    from hypo.problem.problem import Problem, Settings
    from hypo.scoring.score import Hypothesis


def explain_refusal(e: Expression, problem: Problem, settings: Settings) -> str:
    """The reason that rules out the fitted guess ``e``, as a predicate: "breaks units: in c**b, …"."""
    for v in problem.knowledge.violations(e, problem.target):
        if v.hard:
            return f"with its constants fitted breaks {v.rule}: {v.message}"
    if score_freely(e, problem, settings) is None:
        with np.errstate(all="ignore"):
            values = Program.of(e, problem.columns).value(problem.X)
        bad = int(np.count_nonzero(~np.isfinite(values)))
        rows = f" on {bad} of {values.size} rows" if bad else " that the likelihood allows on all rows"
        return f"has no value{rows}, with all constants that were tried"
    book = Rulebook(problem, settings.lam)
    law = book.law(e)
    found = (hard_breach(i, rule, law) for i, rule in enumerate(book.rules))
    broken = next((b for b in found if b is not None), "breaks a hard rule")
    return f"with its constants fitted {broken}"


def score_freely(e: Expression, problem: Problem, settings: Settings) -> Hypothesis | None:
    """The fitted guess ``e`` scored without knowledge; None where it has no value on some row."""
    with np.errstate(all="ignore"):
        return replace(problem.scorer(settings), violation=None, max_complexity=float("inf")).score(e)


def explain_passing_over(h: Hypothesis, problem: Problem) -> str:
    """Why the guess ``h`` is no answer although its score is lower, as the end of a sentence; empty where nothing says so."""
    with np.errstate(all="ignore"):
        if not sound(h.expression, problem.spacing, h.rmse):
            return ", but between the rows it goes far from them, so it was not taken"
        if slower(h.expression, problem.spacing):
            return ", but slower waves have the same values on these rows, so it was not taken"
    return ""


def describe_fine(h: Hypothesis, problem: Problem, settings: Settings) -> str:
    """The breaches that ``h`` pays for, and how much it pays."""
    soft = [f"{v.rule}: {v.message}" for v in problem.knowledge.violations(h.expression, problem.target)]
    what = f" ({'; '.join(soft)})" if soft else " of the knowledge"
    return f"{format_nats(settings.lam * h.violation)} nats of that are for what it breaks{what}"
