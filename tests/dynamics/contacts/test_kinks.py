"""Impacts in samples of a bouncing ball, whose flights are known, and none in samples of smooth paths."""

import numpy as np
import pytest

from hypo.dynamics.contacts.kinks import find_walls
from tests.dynamics.contacts.ball import FLOOR, SHARE, drop


@pytest.mark.parametrize("n", [60, 120, 300])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_the_floor_of_a_ball(n, noise):
    time = np.linspace(0, 2.5, n)
    y, _, meets = drop(time)
    y = y + noise * np.std(y) * np.random.default_rng(n).standard_normal(n)
    (wall,) = find_walls([(time, y)], 0)
    assert not wall.is_above
    assert wall.position == pytest.approx(FLOOR, abs=1e-6 if noise == 0 else 0.01)
    assert np.allclose([k.time for k in wall.kinks], meets[meets < 2.5], atol=1e-6 if noise == 0 else 0.02)
    shares = [-k.after / k.before for k in wall.kinks]
    assert np.median(shares) == pytest.approx(SHARE, abs=1e-6 if noise == 0 else 0.05)


def test_a_ceiling_is_a_floor_upside_down():
    time = np.linspace(0, 2.5, 100)
    y = drop(time)[0]
    (wall,) = find_walls([(time, -y)], 0)
    assert wall.is_above and wall.position == pytest.approx(-FLOOR, abs=1e-6)
    assert all(k.before > 0 > k.after for k in wall.kinks)


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
@pytest.mark.parametrize(
    "path",
    [
        np.sin,
        lambda t: np.sin(t) ** 3,
        lambda t: np.abs(np.sin(t)) ** 3,
        lambda t: np.exp(-t / 5),
        lambda t: 1 / (1 + np.exp(6 - t)),
        lambda t: np.sin(t) + np.sin(1.7 * t),
        lambda t: np.exp(-t / 6) * np.cos(2 * t),
        lambda t: t * np.exp(-t),
    ],
)
def test_smooth_paths_have_no_wall(path, noise):
    time = np.linspace(0, 14, 120)
    y = path(time) + noise * np.random.default_rng(3).standard_normal(120)
    assert find_walls([(time, y)], 0) == []
