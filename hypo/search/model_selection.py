"""Model selection: which formula of a search is the answer.

``score``: the least score. ``posterior``: the structure with the largest posterior weight. ``accuracy``: the least misfit on
the front. ``validation``: the least loss on rows held out before the search (:mod:`hypo.search.validation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hypo.expression.expr import Expression
from hypo.fitting.archive import rank
from hypo.fitting.rule_checks import Rulebook, RuleReport
from hypo.posterior.posterior import Posterior, structure_key
from hypo.problem.problem import Problem, Settings
from hypo.scoring.score import Hypothesis
from hypo.search.outcome import Outcome

# The criteria, by the names that users give: the least score,
SCORE = "score"
# the largest posterior weight,
POSTERIOR = "posterior"
# the least misfit on the front,
ACCURACY = "accuracy"
# the least loss on rows held out.
VALIDATION = "validation"
CRITERIA = (SCORE, POSTERIOR, ACCURACY, VALIDATION)


def select_best(
    by: str, front: Sequence[Hypothesis], posterior: Posterior | None, others: Iterable[Hypothesis] = ()
) -> Hypothesis | None:
    """The formula that the criterion ``by`` (not ``validation``) prefers; None without any.

    ``others`` are hypotheses beside the front whose structures may be the likeliest. Where there is no posterior, or it weighs
    none of them, the score decides.
    """
    if by == ACCURACY:
        return min(front, key=lambda h: (round(h.misfit, 9), *rank(h)), default=None)
    if by == POSTERIOR and posterior is not None:
        everything = sorted((*front, *others), key=rank)
        for s in posterior.structures:
            if (found := _of_structure(s.expression, everything, front)) is not None:
                return found
    return min(front, key=rank, default=None)


def _of_structure(e: Expression, everything: Iterable[Hypothesis], front: Iterable[Hypothesis]) -> Hypothesis | None:
    """The hypothesis that stands for the structure, or the best on the front that has its form."""
    # Posteriors show fitted constants without names.
    same = (h for h in everything if h.expression.without_names() == e)
    key = structure_key(e)
    return next(same, None) or min((h for h in front if structure_key(h.expression) == key), key=rank, default=None)


def apply_selection(
    by: str, outcome: Outcome, posterior: Posterior | None, problem: Problem, settings: Settings
) -> Outcome:
    """``outcome`` with ``best`` by the criterion, and the reports on rules for it. A formula that breaks a hard rule is not
    chosen."""
    if by in (SCORE, VALIDATION) or outcome.best is None:
        return outcome
    book = Rulebook(problem, settings.lam)
    allowed = [h for h in outcome.archive if not book.rules or book.keeps_hard(h.expression)] if by == POSTERIOR else []
    return with_best(outcome, select_best(by, outcome.front, posterior, allowed) or outcome.best, book)


def with_best(outcome: Outcome, best: Hypothesis, book: Rulebook) -> Outcome:
    """``outcome`` with another answer."""
    if best == outcome.best:
        return outcome
    rules: tuple[RuleReport, ...] = ()
    if book.rules:
        verdicts = book.verdicts(best.expression)
        rules = tuple(
            replace(r, verdict=v, without=None, gain=None) for r, v in zip(outcome.rules, verdicts, strict=True)
        )
    return replace(outcome, best=best, rules=rules)
