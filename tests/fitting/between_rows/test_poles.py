"""Poles between rows need rows on both sides that show them; waves that no slower one stands for need many rows."""

from dataclasses import replace

import numpy as np
import pytest

import hypo
from hypo.data import from_arrays
from hypo.expression.expr import Expression
from hypo.fitting.between_rows.definedness import is_sound
from hypo.fitting.between_rows.poles import is_supported
from hypo.problem.problem import Settings, make_problem
from hypo.problem.spacing import Spacing

pytestmark = pytest.mark.usefixtures("short_chains")


def line(values: np.ndarray) -> Spacing:
    return Spacing(np.asarray(values, float)[None], ("x",))


MINUTES = line(np.arange(0.0, 40.0, 2.0))
UNEVEN = line(np.sort(np.random.default_rng(3).uniform(-4.0, 4.0, 40)))
FAR = line(1e6 + np.arange(20.0))


@pytest.mark.parametrize(("text", "rows", "noise", "good"), [
    ("5.413*exp(-0.2981*x) + 0.01503/(x - 2.087)", MINUTES, 0.0065, False),
    ("5.405*exp(-0.2978*x) + 0.003682/(x - 2.021) + 0.0027", MINUTES, 0.0065, False),
    ("5.4*exp(-0.3*x) + 0.002/(x - 6.05)**2", MINUTES, 0.01, False),
    ("5.4*exp(-0.3*x) - 0.08/(x - 7)", MINUTES, 0.02, False),
    ("x + 0.001/(x - 1000005.01)", FAR, 0.01, False),
    ("x + 1/(x - 1000005.4)", FAR, 0.01, True),
    ("1/(x - 7.3)", MINUTES, 0.02, True), ("5*x + 3/(x - 7.3)", MINUTES, 0.02, True),
    ("1/(64 - x**2)", line(np.arange(0.3, 14)), 1e-3, True),
    ("2/x", UNEVEN, 0.05, True), ("tan(x)", UNEVEN, 0.1, True), ("1/x**2", UNEVEN, 0.05, True),
    ("sin(x)/x", UNEVEN, 0.05, True),
    ("1/(0.01 + x**2)", UNEVEN, 0.05, True),
])  # fmt: skip
def test_a_pole_shows_in_the_rows_on_both_sides(text: str, rows: Spacing, noise: float, good: bool) -> None:
    assert is_supported(hypo.parse(text), "x", rows, noise) == good
    if not good:
        assert not is_sound(hypo.parse(text), rows, noise)


def fitted(text: str) -> Expression:
    e = hypo.parse(text)
    return replace(e, constants=tuple(replace(c, free=True) for c in e.constants))


@pytest.mark.parametrize(("text", "rows", "good"), [
    ("x**1.5*(3.196 - 0.008562*cos(x**4.31))", line(np.linspace(1, 10, 12)), False),
    ("3.182*x**1.502 + 0.02435*x*sin((0.2251*x**2)**(0.1656*x))", line(np.linspace(1, 10, 12)), False),
    ("2.1*sin(7.3*exp(x)) + 1.1", line(np.linspace(1, 10, 16)), False),
    ("2.1*sin(37.3*x) + 1.1", UNEVEN, True),
    ("2.1*sin(37.3*x) + 1.1", line(np.sort(np.random.default_rng(3).uniform(-4.0, 4.0, 15))), False),
    ("2.1*sin(0.7*x**2) + 1.1", line(np.linspace(0.1, 3.0, 12)), True),
    ("2.1*cos(0.02*x**3) + 1.1", line(np.linspace(0.1, 5.0, 12)), True),
])  # fmt: skip
def test_a_fast_wave_without_a_slower_one_needs_many_rows(text: str, rows: Spacing, good: bool) -> None:
    assert is_sound(fitted(text), rows, 0.01) == good


def test_a_decay_with_an_outlier_is_answered_without_a_pole() -> None:
    t = np.arange(0.0, 40.0, 2.0)
    y = 5 * np.exp(-t / 3.5) * (1 + 0.05 * np.random.default_rng(7).normal(size=20))
    result = hypo.fit({"t": t, "A": y}, "A", turns=4, workers=1, posterior=False)
    problem = make_problem(from_arrays(t[:, None], y, names=["t"]), None, Settings())
    for h in result.front:
        if h.score < result.best.score + 20:
            assert is_supported(h.expression, "t", problem.spacing, h.rmse)
