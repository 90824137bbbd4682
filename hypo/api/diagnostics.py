"""Doubts that a fit states beside its answer: that the residuals and the noise that was given disagree, that another likelihood
suggests itself, and what became of the user's guesses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from hypo.api.refusals import describe_fine, explain_passing_over, explain_refusal, score_freely
from hypo.expression.parser import right_hand_side
from hypo.report.formatting import format_nats, format_number
from hypo.search.answer import is_variant

if TYPE_CHECKING:
    from hypo.data import Dataset
    from hypo.problem.problem import Problem, Settings
    from hypo.scoring.score import Hypothesis
    from hypo.search.outcome import Outcome

# Rows from which on residuals tell something of the noise.
ROWS = 10
# Standard errors that no chance explains.
SURE = 5.0
# The least factor between the noise that was given and the residuals that is worth a word.
FACTOR = 1.5
# Rows from which on whole numbers may be counts.
COUNT_ROWS = 6
# Whole numbers from 1 on that are all below this one may be ranks instead.
RANKS = 10
# The chance below which whole numbers scatter too little for counts, or too much.
UNLIKELY = 0.01
# Nats by which a constant scatter may fit whole numbers better and leave them counts.
BETTER = 3.0
# Residuals as large as this share of the predictions or less are no matter of their distribution.
SMALL = 1e-3


def model_diagnostics(
    outcome: Outcome, problem: Problem, settings: Settings, dataset: Dataset, own: int | None = None
) -> list[str]:
    """Sentences on the answer of ``outcome``, without full stops; ``own`` is the number of the guess that it is."""
    best = outcome.best
    if best is None:
        return []
    other = _judge_likelihood(best, problem, dataset) if outcome.status != "exact" else ()
    return [*_judge_noise(best, problem), *other, *_compare_guesses(best, outcome, problem, settings, own)]


def _judge_noise(best: Hypothesis, problem: Problem) -> Iterator[str]:
    """Residuals that are larger or smaller than the noise that was given: χ² per degree of freedom is 1 ± √(2/n), where rows of
    unequal weights w count as (Σw)²/Σw²."""
    likelihood = problem.likelihood
    if likelihood is not problem.gaussian or not problem.gaussian.known:
        return
    w = np.ones(len(problem.y)) if likelihood.weights is None else likelihood.weights
    n = float(np.sum(w) ** 2 / np.sum(w**2))
    if n < ROWS:
        return
    left = likelihood.total_weight * (1.0 - min(len(best.expression.free) / n, 0.9))
    chi2 = likelihood.loss(likelihood.predicted(best.expression, problem.X, problem.columns)) / left
    if abs(chi2 - 1.0) < SURE * math.sqrt(2.0 / n) or 1.0 / FACTOR < math.sqrt(chi2) < FACTOR:
        return
    times = f"{math.sqrt(chi2):.2g} times the noise that was given (χ² per degree of freedom {chi2:.2g})"
    yield f"the residuals are {times}: sigma is too " + ("small, or the law was not found" if chi2 > 1.0 else "large")


def _judge_likelihood(best: Hypothesis, problem: Problem, dataset: Dataset) -> Iterator[str]:
    """Targets that are no measurements with one and the same noise."""
    y, weighted = dataset.y, dataset.sigma is not None or dataset.weights is not None
    if problem.likelihood is not problem.gaussian or weighted or len(y) < COUNT_ROWS:
        return
    if set(np.unique(y)) == {0.0, 1.0}:
        if len(y) >= ROWS:
            yield 'the target is 0 or 1 in every row, so the likelihood "binomial" suits it better'
        return
    if y.min() < 0.0:
        return
    predicted = problem.likelihood.predicted(best.expression, problem.X, problem.columns)
    size = np.abs(problem.y - predicted)
    large = np.sqrt(np.mean(size**2)) >= SMALL * np.sqrt(np.mean(predicted**2))
    rises = len(y) >= ROWS and large and _is_rising(predicted, size)
    whole = bool(np.all(y == np.round(y)))
    if whole and not _has_unit(problem) and (rises or _are_like_counts(y, predicted, len(best.expression.free))):
        yield (
            "the targets are whole numbers that scatter as counts do, more where they are larger; if they count something, the "
            'likelihood "poisson" suits them better'
        )
    elif rises and y.min() > 0.0:
        yield 'the residuals grow with the prediction; if the noise is a share of it, choose the likelihood "lognormal"'


def _has_unit(problem: Problem) -> bool:
    """True where the target is a number of something else than events: metres, say."""
    unit = problem.knowledge.units.get(problem.target)
    return unit is not None and not unit.dimension.is_dimensionless


def _are_like_counts(y: np.ndarray, predicted: np.ndarray, fitted: int) -> bool:
    """True where whole numbers ``y`` (n,) scatter around the predictions f as counts may: with the variance φ·(f + k/n·f̄), the
    second term what k fitted constants leave, no worse than with a constant one, and with a φ that is 1 but for chance."""
    from scipy.special import gammaincinv

    n, left = len(y), len(y) - fitted
    f = np.maximum(predicted, 0.0)
    if left < 3 or (y.max() < RANKS and y.min() > 0.0) or f.mean() <= 0.0:
        return False
    squares = (y - predicted) ** 2
    shape = f + max(fitted, 1) / n * f.mean()
    phi, constant = float(np.mean(squares / shape)), float(np.mean(squares))
    if phi <= 0.0:
        return False
    gain = 0.5 * n * math.log(constant / phi) - 0.5 * float(np.sum(np.log(shape)))
    low, high = 2.0 * gammaincinv(0.5 * left, [UNLIKELY, 1.0 - UNLIKELY]) / n
    # A law that is not quite right leaves more than the counts' own scatter.
    return gain > -BETTER and phi > low and (phi < 2.0 * high or gain > SURE)


def _is_rising(x: np.ndarray, y: np.ndarray) -> bool:
    """True where y (n,) surely rises with x, by Spearman's rank correlation, whose standard error without any is 1/√(n − 1)."""
    if np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return False
    # Equal values get one rank, which is near enough to the mean of theirs.
    ranks = [np.searchsorted(np.sort(v), v) for v in (x, y)]
    return float(np.asarray(np.corrcoef(ranks))[0, 1]) * math.sqrt(len(x) - 1) > SURE


def _compare_forms(best: Hypothesis, guess: Hypothesis | None) -> list[str]:
    """The numbers of a guess in its own form, where those of the answer are of a shorter one."""
    if guess is None or (abs(guess.score - best.score) < 0.005 and guess.complexity == best.complexity):
        return []
    return [
        f"as you write it its complexity is {guess.complexity:g} and its score {format_nats(guess.score)}, while the "
        f"table has those of its shortest form, {best.complexity:g} and {format_nats(best.score)}"
    ]


def _compare_guesses(
    best: Hypothesis, outcome: Outcome, problem: Problem, settings: Settings, own: int | None
) -> Iterator[str]:
    """Which guess is the answer; the score of each other, fitted, beside that of the answer."""
    scale = problem.scales.get(problem.target, 1.0)
    for number, (guess, h) in enumerate(zip(settings.guesses, outcome.guessed, strict=False)):
        text = str(guess)
        law = f"{problem.target} = {right_hand_side(text, problem.target, problem.aliases).strip()}"
        if number == own:
            yield f"the answer is your guess {number + 1}: {law}"
            yield from _compare_forms(best, h)
            continue
        if is_variant(best, h, problem):
            yield f"the answer is a variant of your guess {number + 1}, {law}, with exact numbers for some of its constants"
        if h is None:
            e = outcome.fitted[number] if number < len(outcome.fitted) else None
            why = (
                "has no value on some row, or breaks the knowledge"
                if e is None
                else explain_refusal(e, problem, settings)
            )
            yield f"the guess {guess} {why}"
            if e is None or (h := score_freely(e, problem, settings)) is None:
                continue
            yield f"without that the guess would score {_score_text(h, best, scale)}"
            continue
        fined = f"; {describe_fine(h, problem, settings)}" if h.violation > 0.0 else ""
        passed = explain_passing_over(h, problem) if h.score < best.score else ""
        yield f"the guess {guess} scores {_score_text(h, best, scale)}{passed}{fined}"


def _score_text(h: Hypothesis, best: Hypothesis, scale: float) -> str:
    """The score of ``h``, and how far from that of the answer it is."""
    behind = h.score - best.score
    where = f"{format_nats(abs(behind))} nats {'behind' if behind > 0 else 'below'} the answer"
    where = "as low as the answer's" if abs(behind) < 0.005 else where
    return f"{format_nats(h.score)} (RMSE {format_number(h.rmse / scale)}), {where}"
