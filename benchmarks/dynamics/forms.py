"""Judges if the found equations have the form of the laws: equal but for the values of constants, which are near the laws' own.

A found equation is right if its constants, fitted anew to the law without noise, make it the law, to ``TOLERANCE`` of the law's
RMS on the trajectories and in the box that they span, and none of its constants changes much for that. A constant that has to
vanish, turn its sign or change by more than ``LARGEST_CHANGE`` stands in a part that the law does not have. Whole numbers count
as constants, too, unless they are exponents: a search may have taken 2.1 for 2; they must be within ``LARGEST_ROUNDING``. An
exponent that was found as 2.03 where the law has 2 is another form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import judge
import numpy as np
from agreement import agrees
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import evaluate

Values = NDArray[np.float64]

TOLERANCE = 1e-6
# Factor by which a fitted constant may be off: five percent of noise on one trajectory can leave that much.
LARGEST_CHANGE = 2.0
# The same for a whole number that stands for a constant.
LARGEST_ROUNDING = 1.1
# The same for exponents.
LARGEST_POWER_CHANGE = 1.05
# From here on an exponent is a multiple of one half.
SNAPPED = 1e-4
# Laws with a pole are compared where they are at most this many times the largest rate on the trajectories.
POLE_LIMIT = 3.0
# A state that stays where it is spans a box by this share of its value.
STILL = 0.2
_POINTS = 600


def has_form(found: Expression, law: Expression, names: Sequence[str], states: Values) -> bool:
    """True if a found rate is the law up to its constants; ``states`` (n, n_state) are those of the trajectories."""
    if not set(found.variables) <= set(names):
        return False
    rng = np.random.default_rng(0)
    states = states[np.isfinite(states).all(1)]
    largest = np.abs(evaluate(law, states, names)).max()

    def points(stretch: float) -> Values:
        X = in_box(states, 4 * _POINTS, rng, stretch)
        with np.errstate(all="ignore"):
            return X[np.abs(evaluate(law, X, names)) <= POLE_LIMIT * largest][: 2 * _POINTS]

    X = np.vstack([states[rng.permutation(len(states))[:_POINTS]], points(0.0)[:_POINTS]])
    with np.errstate(all="ignore"):
        y = evaluate(law, X, names)
        usable = np.isfinite(y) & np.isfinite(evaluate(found, X, names))
    if usable.mean() < 0.9:
        return False
    powers, old = judge.exponents(found), found.values
    free = [i for i, c in enumerate(found.constants) if c.name is None and old[i] and not _is_fixed(i, old[i], powers)]
    # Whole numbers stay first: of two constants that do one thing, the other should move.
    for fitted in _once([i for i in free if not float(old[i]).is_integer()], free):
        # No constants to fit, or a fit that came to no end: the found values stand.
        best = found.with_values(judge.refitted(found, fitted, X[usable], y[usable], names))
        if _is_law(best, law, names, states, points) and all(
            _is_near(old[i], best.values[i], i in powers) for i in fitted
        ):
            return True
    return False


def _once(first: list[int], second: list[int]) -> list[list[int]]:
    return [first] if first == second else [first, second]


def _is_law(
    best: Expression, law: Expression, names: Sequence[str], states: Values, points: Callable[[float], Values]
) -> bool:
    """True if both agree on the trajectories, in their box and around it."""
    with np.errstate(all="ignore"):
        guess, truth = evaluate(best, states, names), evaluate(law, states, names)
        if not np.sqrt(np.mean((guess - truth) ** 2)) <= TOLERANCE * np.sqrt(np.mean(truth**2)):
            return False
        return agrees(lambda X: evaluate(best, X, names), lambda X: evaluate(law, X, names), points, TOLERANCE)


def _is_fixed(i: int, value: float, powers: set[int]) -> bool:
    return i in powers and float(2.0 * value).is_integer()


def _is_near(old: float, new: float, is_exponent: bool) -> bool:
    """True if a constant changed little, and stayed what it was: an exponent that becomes a multiple of one half did not."""
    if is_exponent and abs(2.0 * new - round(2.0 * new)) < SNAPPED:
        return False
    limit = LARGEST_POWER_CHANGE if is_exponent else LARGEST_ROUNDING if float(old).is_integer() else LARGEST_CHANGE
    return 1.0 / limit <= new / old <= limit


def in_box(states: Values, n: int, rng: np.random.Generator, stretch: float = 0.0) -> Values:
    """Points (n, n_state) uniform in the box of ``states``, widened on both sides by ``stretch`` of its width; what is
    positive on all trajectories stays so."""
    low, high = states.min(0), states.max(0)
    still = high - low <= 1e-9 * np.maximum(np.abs(low), 1e-12)
    width = np.where(still, STILL * np.maximum(np.abs(low), 1.0), high - low)
    # A still state spans something in any case.
    extra = np.where(still, (0.5 + stretch) * width, stretch * width)
    below = np.where(low > 0, np.maximum(low - extra, low / 2), low - extra)
    return rng.uniform(below, high + extra, (n, states.shape[1]))


def right_equations(
    found: Sequence[Expression], laws: Sequence[Expression], names: Sequence[str], states: Values
) -> tuple[bool, ...]:
    """By equation: is it the law's form?"""
    return tuple(has_form(f, law, names, states) for f, law in zip(found, laws, strict=True))
