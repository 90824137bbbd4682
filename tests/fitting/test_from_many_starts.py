"""A search looks again, from many starts, at the constants of what it is about to show."""

import numpy as np
import pytest

from hypo.clock import Clock
from hypo.data import as_dataset
from hypo.expression.parser import parse
from hypo.fitting.archive import Archive
from hypo.fitting.from_many_starts import widen
from hypo.fitting.refiner import Refiner
from hypo.likelihood.registry import make_family
from hypo.problem.problem import Settings, make_problem


def test_a_frequency_that_the_search_missed() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, 150)
    y = 2 * np.sin(7 * x) + 3 + 0.1 * rng.standard_normal(150)
    settings = Settings()
    problem = make_problem(as_dataset({"x": x, "y": y}, "y")[0], None, settings)
    e = parse("a*sin(b*x) + c", variables=["x"]).with_values([0.1, 1.1, 3.0])
    refiner = Refiner(problem, settings, Archive(problem.X, problem.columns), Clock())
    refiner.keep(refiner.scorer.score(e))
    before = refiner.archive.best
    widen(refiner)
    best = refiner.archive.best
    assert before is not None and best is not None and best.score < before.score - 100
    assert best.rmse < 0.12


def test_counts_too() -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(0, 100, 80)
    y = rng.poisson(60 * np.exp(-(((x - 71) / 5) ** 2)) + 4).astype(float)
    settings = Settings(likelihood=make_family("poisson"))
    problem = make_problem(as_dataset({"x": x, "y": y}, "y")[0], None, settings)
    e = parse("a*exp(-((x - m)/s)**2) + b", variables=["x"]).with_values([1.0, 10.0, 30.0, 10.0])
    refiner = Refiner(problem, settings, Archive(problem.X, problem.columns), Clock())
    refiner.keep(refiner.scorer.score(e))
    widen(refiner)
    best = refiner.archive.best
    assert best is not None and any(c.value == pytest.approx(71, abs=1) for c in best.expression.constants)


def test_exact_answers_stay() -> None:
    x = np.linspace(0.1, 3, 20)
    settings = Settings()
    problem = make_problem(as_dataset({"x": x, "y": 2 * x}, "y")[0], None, settings)
    refiner = Refiner(problem, settings, Archive(problem.X, problem.columns), Clock())
    refiner.consider(parse("a*x", variables=["x"]))
    before = refiner.archive.best
    widen(refiner)
    assert refiner.archive.best is before
