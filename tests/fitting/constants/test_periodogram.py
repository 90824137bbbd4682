"""Frequencies inside formulas: spectra against least squares at each frequency, and whole fits."""

import math

import numpy as np
import pytest

import hypo
from hypo.expression.parser import parse
from hypo.fitting.constants.parameters import Parameters
from hypo.fitting.constants.periodogram import Waves, spectrum


def best(u: np.ndarray, rest: np.ndarray, r: np.ndarray, g: np.ndarray, omega: float) -> tuple[float, np.ndarray]:
    A = np.stack([g * np.sin(omega * u + rest), g * np.cos(omega * u + rest)], axis=1)
    found = np.linalg.lstsq(A, r, rcond=None)[0]
    return float(r @ r - np.sum((r - A @ found) ** 2)), found


@pytest.mark.parametrize("even", [True, False])
def test_the_highest_peak_is_that_of_least_squares(even: bool) -> None:
    rng = np.random.default_rng(0)
    u = 100 + (np.linspace(0, 7, 150) if even else np.sort(rng.uniform(0, 7, 150)))
    rest, g = 0.3 * u**2 / 100, np.exp(-0.2 * (u - 100))
    r = g * (1.5 * np.sin(23.4 * u + rest) + 0.8 * np.cos(23.4 * u + rest)) + 0.1 * rng.standard_normal(150)
    omega, sine, cosine = next(iter(spectrum(u[None], rest, r, g, False, False)))
    grid = np.linspace(0.05, math.pi * 149 / 7, 6000)
    want = grid[int(np.argmax([best(u, rest, r, g, w)[0] for w in grid]))]
    assert omega[0] == pytest.approx(want, abs=0.1)
    # Rows are moved to a grid, so amplitudes are good to some per cent, once the phase at u = 0 is taken along.
    there = best(u, rest, r, g, float(omega[0]))[1]
    assert [sine, cosine] == pytest.approx(there, abs=0.15)


def test_two_directions() -> None:
    rng = np.random.default_rng(1)
    u = rng.uniform(5, 9, (2, 400))
    found = next(iter(spectrum(u, np.zeros(400), np.sin(5 * u[0] - 7 * u[1] + 1), np.ones(400), False, False)))[0]
    assert found == pytest.approx([5, -7], abs=0.4)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a*x*sin(b*x)", {"b": 42.0}),
        ("sin(x/b)", {"b": 1 / 42.0}),
        ("a + c*cos(b*(x - d))", {"b": 42.0}),
        ("exp(a*sin(b*x))", {"b": 42.0}),
    ],
)
def test_starts_of_waves(text: str, want: dict[str, float]) -> None:
    """The law is one that the formula can be; the right frequency is among the first."""
    x = np.random.default_rng(2).uniform(0, 3, (1, 300))
    y = {"a*x*sin(b*x)": x[0] * np.sin(42 * x[0]), "sin(x/b)": np.sin(42 * x[0])}.get(text, 3 + np.sin(42 * x[0]))
    e = parse(text, variables=["x"])
    p = Parameters.of(e).linear_first()
    names = [next(c.name for c, s in zip(e.constants, p.slot, strict=True) if s == k) for k in range(len(p.start))]
    found = list(Waves(e, p, ["x"]).starts(p.start, x, y, np.empty(0)))
    for name, value in want.items():
        assert min(abs(theta[names.index(name)] / value - 1) for theta in found[:6]) < 0.02


# --- whole fits ---------------------------------------------------------------------------------------------------


def constants(text: str, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    return {c.name: c.value for c in hypo.score(text, {"x0": x, "y": y}, "y").constants}


@pytest.mark.parametrize("even", [True, False])
def test_ten_thousand_rows(even: bool) -> None:
    x = np.linspace(0, 1, 10_000) if even else np.random.default_rng(3).uniform(0, 1, 10_000)
    found = constants("a*x0*sin(b*x0)", x, x * np.sin(20 * math.pi * x))
    assert found["a"] * found["b"] == pytest.approx(20 * math.pi, rel=1e-9)


def test_two_waves_and_their_phases() -> None:
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 1, 1000)
    y = 2 * np.sin(301 * x + 1) + 0.7 * np.sin(83 * x - 2) + 0.3 * rng.standard_normal(1000)
    found = constants("a*sin(b*x0 + c) + d*sin(f*x0 + g)", x, y)
    assert sorted([abs(found["b"]), abs(found["f"])]) == pytest.approx([83, 301], abs=0.5)
    assert max(abs(found["c"]), abs(found["g"])) <= math.pi


def test_a_damped_wave() -> None:
    rng = np.random.default_rng(5)
    x = np.sort(rng.uniform(0, 1, 600))
    y = 2 * np.exp(-3 * x) * np.sin(90 * x + 1) + 0.7 + 0.1 * rng.standard_normal(600)
    found = constants("a*exp(-d*x0)*sin(b*x0 + c) + f", x, y)
    assert abs(found["b"]) == pytest.approx(90, abs=0.5) and found["d"] == pytest.approx(3, abs=0.4)


def test_a_period() -> None:
    x = np.linspace(1900.0, 2000.0, 400)
    found = constants("a*sin(2*pi*x0/p + c) + d", x, 5 + 2 * np.sin(2 * math.pi * x / 11.03 + 0.4))
    assert abs(found["p"]) == pytest.approx(11.03, rel=1e-6)
