"""Searches of a table of three columns that no clock ends."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from hypo.checks import NO_LIMIT
from hypo.data import from_arrays
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge
from hypo.problem.problem import Problem, Settings, make_problem
from hypo.search.engine import search
from hypo.search.outcome import Outcome, Progress

NAMES = ("x", "z", "w")
ROWS = np.random.default_rng(0).uniform(0.5, 3.0, (60, 3))
# Two stages; no clock decides what comes out.
TWO_STAGES = {"time_limit": NO_LIMIT, "posterior": False, "library_sizes": (250, 1000), "proposers": ("library",)}


def problem_of(
    y: np.ndarray,
    knowledge: dict | None = None,
    X: np.ndarray = ROWS,
    names: tuple[str, ...] = NAMES,
    settings: Settings | None = None,
) -> Problem:
    return make_problem(
        from_arrays(X, y, names=list(names)), Knowledge.from_dict(knowledge or {}), settings or Settings()
    )


def find(
    y: np.ndarray,
    knowledge: dict | None = None,
    *,
    X: np.ndarray = ROWS,
    names: tuple[str, ...] = NAMES,
    progress: Callable[[Progress], None] | None = None,
    **options: object,
) -> Outcome:
    settings = Settings(**{**TWO_STAGES, **options})  # type: ignore[arg-type]
    return search(problem_of(y, knowledge, X, names, settings), settings, progress)


def noisy(y: np.ndarray, share: float = 0.01, seed: int = 1) -> np.ndarray:
    return y + share * np.std(y) * np.random.default_rng(seed).standard_normal(len(y))


def agrees(e: Expression, law: Callable[..., np.ndarray], names: tuple[str, ...] = NAMES, rel: float = 1e-8) -> bool:
    """Equal to the law on fresh points, some of them outside the range of the data."""
    X = np.random.default_rng(99).uniform(0.3, 4.0, (200, len(names)))
    with np.errstate(all="ignore"):
        want = law(*X.T)
    return bool(np.allclose(evaluate(e, X, names), want, rtol=rel, atol=rel * np.abs(want).max()))


LAWS: dict[str, Callable[..., np.ndarray]] = {
    "product": lambda x, z, w: x * z / w,
    "sum": lambda x, z, w: 3.7 * x - 1.9 * z + 0.4,
    "sum of three": lambda x, z, w: x * z - 2 * w + np.sqrt(x),
    "rational": lambda x, z, w: (2 * x + 1) / (1 + 3 * w),
    "reciprocal link": lambda x, z, w: 1 / (1 / x + 2 / z),
    "root link": lambda x, z, w: np.sqrt(x**2 + 3 * z),
    "exponential link": lambda x, z, w: 2 * np.exp(-0.5 * x * z),
    "sine of a product": lambda x, z, w: w * np.sin(x * z),
    "free exponents": lambda x, z, w: 1.3 * x**1.37 * z**-0.61,
    "a half": lambda x, z, w: 0.5 * x * z**2,
    "2*pi": lambda x, z, w: 2 * np.pi * np.sqrt(x / z),
    "sqrt(2)": lambda x, z, w: math.sqrt(2) * x * z,
    "Planck's form": lambda x, z, w: x**3 / (np.exp(z) - 1),
}


@cache
def exact(name: str) -> Outcome:
    """What is found for a law without noise."""
    return find(LAWS[name](*ROWS.T))
