"""The certificate: the engine against a brute-force enumerator that shares no code with it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from hypo.data import from_arrays
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.outcome import Outcome
from tests.oracles.brute_force import Brute, Tree


@dataclass(frozen=True)
class Case:
    """A grammar searched by the engine: data, operators, knowledge, and the law behind the noisy target."""

    columns: Mapping[str, np.ndarray]
    operators: tuple[str, ...]
    size: int
    law: Callable[..., np.ndarray]
    noise: float
    units: Mapping[str, str] = field(default_factory=dict)
    dimensions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    nesting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sigma: float | None = None

    @property
    def y(self) -> np.ndarray:
        clean = self.law(*self.columns.values())
        return clean + self.noise * np.std(clean) * np.random.default_rng(5).standard_normal(len(clean))

    def outcome(self, **kwargs: object) -> Outcome:
        X = np.column_stack(list(self.columns.values()))
        knowledge: dict = {"units": dict(self.units)} if self.units else {}
        if self.nesting:
            knowledge["grammar"] = {"nesting": {k: list(v) for k, v in self.nesting.items()}}
        options = Settings(
            **{
                "operators": self.operators,
                "fit_constants": False,
                "proposers": ("library",),
                # What is looked at for a posterior holds numbers that the grammar does not.
                "posterior": False,
                "max_complexity": self.size,
                "library_sizes": (250, 20000),
                **kwargs,
            }
        )  # type: ignore[arg-type]
        data = from_arrays(X, self.y, names=list(self.columns), sigma=self.sigma)
        return search(make_problem(data, Knowledge.from_dict(knowledge), options), options)

    def brute(self) -> list[list[Tree]]:
        """Distinct trees by level; with units only those of the target's dimension, the last in ``dimensions``."""
        levels = Brute(self.columns, self.operators, self.size, self.dimensions, self.nesting).distinct()
        target = self.dimensions.get("y", ())
        return [[t for t in level if t.dimension == target] for level in levels]


ROWS = np.random.default_rng(31).uniform(0.4, 3.0, (3, 60))
SIGNED = ROWS[1] - 1.5
ENGINE_CASES = {
    "a": Case({"x": ROWS[0], "z": ROWS[1]}, ("+", "-", "*", "/", "sqrt"), 7, lambda x, z: np.sqrt(x + z / x) - z, 0.05),
    "b": Case(
        {"x": ROWS[0] / 3}, ("+", "*", "inv", "exp"), 7, lambda x: np.exp(x * x) + 1 / x, 0.02, nesting={"exp": ()}
    ),
    "c": Case(
        {"x": ROWS[0], "z": SIGNED, "w": ROWS[2]},
        ("+", "-", "*", "square"),
        6,
        lambda x, z, w: (x - z) ** 2 - 0.8 * w * x,
        0.2,
    ),
    "nesting": Case(
        {"x": ROWS[0], "z": SIGNED},
        ("+", "*", "square"),
        7,
        lambda x, z: (x + z * z) ** 2,
        0.1,
        nesting={"square": ("square",)},
    ),
    "nesting, the fourth power": Case(
        {"x": ROWS[0], "z": SIGNED},
        ("+", "*", "square"),
        5,
        lambda x, z: x**4 + 0 * z,
        0.1,
        nesting={"square": ("square",)},
    ),
    "units": Case(
        {"x": ROWS[0], "z": ROWS[1], "w": ROWS[2]},
        ("+", "-", "*", "/", "sqrt"),
        6,
        lambda x, z, w: np.sqrt(x * x + z * z) / w,
        0.05,
        units={"x": "m", "z": "m", "w": "s", "y": "m/s"},
        dimensions={"x": (1, 0), "z": (1, 0), "w": (0, 1), "y": (1, -1)},
    ),
    "units and nesting": Case(
        {"x": ROWS[0], "z": ROWS[1]},
        ("+", "*", "/", "sqrt", "square"),
        6,
        lambda x, z: np.sqrt(x) * z,
        0.1,
        units={"x": "m", "z": "m", "y": "m"},
        dimensions={"x": (1, 0), "z": (1, 0), "y": (1, 0)},
        nesting={"sqrt": ("sqrt", "square"), "square": ("sqrt", "square")},
    ),
    "known noise": Case(
        {"x": ROWS[0], "z": ROWS[1]}, ("+", "-", "*", "/", "sqrt"), 6, lambda x, z: x * z + x, 0.1, sigma=0.4
    ),
    "the doubled variable": Case(
        {"x": ROWS[0], "z": ROWS[1]}, ("+", "-", "*", "/", "sqrt"), 5, lambda x, z: x + x, 0.01
    ),
}
ENGINE = pytest.mark.parametrize("case", [pytest.param(c, id=n) for n, c in ENGINE_CASES.items()])


def best_score(case: Case, levels: list[list[Tree]]) -> tuple[float, Tree]:
    """Lowest score of all trees: Gaussian misfit plus log(number of symbols) per node, and the tree."""
    y, n = case.y, len(case.y)
    scored = []
    for tree in (t for level in levels for t in level):
        rss = float(np.sum((tree.values - y) ** 2))
        if case.sigma is None:
            misfit = 0.5 * n * (math.log(2 * math.pi * rss / n) + 1)
        else:
            misfit = 0.5 * rss / case.sigma**2 + n * math.log(case.sigma * math.sqrt(2 * math.pi))
        scored.append((misfit + tree.size * math.log(len(case.operators) + len(case.columns) + 1), tree))
    return min(scored, key=lambda s: s[0])


def values_of(case: Case, outcome: Outcome) -> np.ndarray:
    assert outcome.best is not None
    return evaluate(outcome.best.expression, np.column_stack(list(case.columns.values())), tuple(case.columns))


@ENGINE
def test_engine_certificate_equals_brute_force(case: Case) -> None:
    levels = case.brute()
    score, tree = best_score(case, levels)
    outcome = case.outcome()
    assert outcome.status == "complete"
    assert outcome.complete_to == case.size
    assert outcome.distinct == sum(len(level) for level in levels)
    assert outcome.best is not None
    # A shorter spelling (x**2 for x*x where square is no operator) may lower a score; nothing may raise it.
    assert outcome.best.score <= score + 1e-6, (str(outcome.best.expression), tree.text)
    if len(outcome.best.expression) == tree.size:
        assert outcome.best.score == pytest.approx(score, abs=1e-6)
    np.testing.assert_allclose(values_of(case, outcome), tree.values.astype(float))


def test_what_the_engine_says_of_an_unfinished_search_is_true() -> None:
    case = ENGINE_CASES["a"]
    levels = case.brute()
    for sizes in ((20,), (100,), (250, 600)):
        outcome = case.outcome(library_sizes=sizes)
        assert 1 <= outcome.complete_to < case.size
        whole = levels[: outcome.complete_to + 1]
        assert outcome.distinct == sum(len(level) for level in whole) <= sizes[-1]
        assert outcome.best is not None and outcome.best.score <= best_score(case, whole)[0] + 1e-6


def test_time_that_runs_out_lowers_the_certificate() -> None:
    outcome = ENGINE_CASES["a"].outcome(time_limit=0.0)
    assert outcome.status == "time_limit"
    assert outcome.complete_to <= 1 and outcome.distinct <= 2


@pytest.mark.parametrize("name", ["a", "c", "units", "known noise"])
def test_fitted_constants_only_add_to_what_is_searched(name: str) -> None:
    case = ENGINE_CASES[name]
    outcome = case.outcome(fit_constants=True, library_sizes=(250, 6000))
    whole = case.brute()[: outcome.complete_to + 1]
    assert outcome.best is not None and outcome.best.score <= best_score(case, whole)[0] + 1e-6
