"""Waves faster than even rows would tell apart, on uneven rows: every spelling reaches the frequency of the data."""

import math

import numpy as np
import pytest

import hypo
from hypo.fitting.constants.periodogram import FASTER, faster

SPELLINGS = [
    "A*sin(w*t + p)", "A*sin(w*t + p) + c", "A*cos(w*t - p) + c", "A*sin(w*(t - t0)) + c", "A*sin(2*pi*f*t + p) + c",
    "A*cos(2*pi*t/T + p) + c", "A*sin((t - t0)/s) + c", "a*sin(w*t) + b*cos(w*t) + c", "c*(1 + A*sin(w*t + p))",
    "A*sin(w*t + p) + c + d*t", "A*exp(-t/tau)*sin(w*t + p) + c",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("text", SPELLINGS)
def test_a_fast_wave_on_uneven_rows(text: str, seed: int) -> None:
    rng = np.random.default_rng([seed, len(text)])
    n, span = int(rng.integers(60, 130)), 10.0 ** rng.uniform(-2, 3)
    t = np.sort(span * rng.uniform(0, 1, n))
    omega = rng.uniform(0.8, 1.7) * math.pi * n / span
    wave = 1.5 * np.sin(omega * t + rng.uniform(0, 6))
    wave = wave * np.exp(-t / span) if "tau" in text else wave + (t / span if "d*t" in text else 0.0)
    y = wave + (0.7 if "c" in text.replace("cos", "") else 0.0) + 0.1 * rng.standard_normal(n)
    assert hypo.score(text, {"t": t, "U": y}, "U").hypothesis.r2 > 0.93


def test_two_fast_waves_on_uneven_rows() -> None:
    rng = np.random.default_rng(7)
    t = np.sort(rng.uniform(0, 2, 100))
    y = 1.5 * np.sin(210.0 * t + 1) + np.sin(168.0 * t + 2) + 0.4 + 0.1 * rng.standard_normal(100)
    found = hypo.score("A*sin(w*t + p) + B*sin(v*t + q) + c", {"t": t, "U": y}, "U")
    values = {c.name: abs(c.value) for c in found.constants}
    assert sorted([values["w"], values["v"]]) == pytest.approx([168.0, 210.0], abs=0.5)


def test_how_much_faster() -> None:
    """Even rows tell nothing apart beyond half a turn each, uneven ones do, and few rows little."""
    rng = np.random.default_rng(0)
    assert faster(np.linspace(0, 3, 200)) == pytest.approx(1.0, abs=1e-6)
    assert faster(np.sort(rng.uniform(0, 3, 200))) > 4.0
    assert faster(np.sort(rng.uniform(0, 3, 8))) == 1.0
    assert faster(np.geomspace(1e-6, 1, 200)) == FASTER
