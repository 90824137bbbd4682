"""Domains: ranges, samples, middles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypo.knowledge.claims.domain import Domain, middle

INF = math.inf


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ((2, 1), "the range of x is empty: 2 is above 1"),
        ((math.nan, 1), "the range of x must not hold nan"),
        ((INF, INF), "the range of x holds no finite number"),
        ((1, 2, 3), "the range of x must be two numbers, got (1, 2, 3)"),
        (("a", 1), "the range of x must be two numbers, got ('a', 1)"),
        (5, "the range of x must be two numbers, got 5"),
    ],
)
def test_bad_ranges(ends: object, message: str) -> None:
    with pytest.raises(ValueError) as e:
        Domain({"x": ends})  # type: ignore[dict-item]
    assert str(e.value) == message


def test_narrower_domains() -> None:
    domain = Domain({"x": (0, 10), "y": (-INF, INF)})
    assert domain.narrow({"x": (5, 20)}).ranges == {"x": (5, 10), "y": (-INF, INF)}
    assert domain.replace_ranges({"x": (5, 20), "z": (0, 1)}).ranges == {"x": (5, 20), "y": (-INF, INF), "z": (0, 1)}
    assert domain.of(frozenset("y")).ranges == {"y": (-INF, INF)}
    assert {n: [float(b[0]) for b in ends] for n, ends in domain.box().items()} == {"x": [0, 10], "y": [-INF, INF]}
    with pytest.raises(ValueError, match=r"^nothing is left of x: 11 to 12 does not overlap 0 to 10$"):
        domain.narrow({"x": (11, 12)})
    with pytest.raises(ValueError, match=r"^no range is known for a, z; ranges are known for: x, y$"):
        domain.narrow({"z": (11, 12), "a": (0, 1)})
    with pytest.raises(ValueError, match=r"^expected at least one point, got 0$"):
        domain.sample(0)


@pytest.mark.parametrize(
    "ends",
    [
        (0, 1),
        (-1, 1),
        (1e-6, 1e6),
        (-1e6, -1e-6),
        (0, INF),
        (3, INF),
        (-INF, -3),
        (-INF, INF),
        (2, 2),
        (-1e308, 1e308),
        (5e-324, 1e308),
        (1e300, INF),
    ],
)
@pytest.mark.parametrize("n", [1, 2, 7, 64, 1000])
def test_samples_lie_in_the_domain(ends: tuple[float, float], n: int) -> None:
    domain = Domain({"x": ends, "y": (0, 1)})
    points = domain.sample(n)
    assert {v.shape for v in points.values()} == {(n,)}
    assert np.isfinite(points["x"]).all()
    assert points["x"].min() >= ends[0]
    assert points["x"].max() <= ends[1]
    np.testing.assert_array_equal(points["x"], Domain({"x": ends, "y": (0, 1)}).sample(n)["x"])
    if n == 1000:
        finite = [e for e in ends if math.isfinite(e)]
        assert set(finite) <= set(points["x"])
        assert ends[0] == ends[1] or (domain.sample(n, seed=1)["x"] != points["x"]).any()


def test_samples_cover_orders_of_magnitude_and_both_halves() -> None:
    x = Domain({"x": (1e-3, 1e3)}).sample(1000)["x"]
    for k in range(-3, 3):
        assert np.mean((x >= 10.0**k) & (x < 10.0 ** (k + 1))) > 0.07
    assert np.mean(x > 500) > 0.2
    x = Domain({"x": (-INF, INF)}).sample(1000)["x"]
    assert 0.4 < np.mean(x > 0) < 0.6
    assert np.abs(x).max() >= 1e3
    assert 0.0 in x
    many = Domain({f"x{i}": (0, 1) for i in range(12)}).sample(256)
    assert len(many["x0"]) == 256


def test_samples_can_not_be_changed() -> None:
    points = Domain({"x": (0, 1)}).sample(10)
    with pytest.raises(ValueError, match="read-only"):
        points["x"][0] = 5


def test_no_names_no_points() -> None:
    assert Domain({}).sample(10) == {}


@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [
        (0, 1, 0.5),
        (-1, 3, 0),
        (1, 10000, 100),
        (-10000, -1, -100),
        (0, INF, 1),
        (3, INF, 7),
        (-INF, -3, -7),
        (-INF, INF, 0),
        (-5, INF, 0),
        (2, 2, 2),
        (-1e308, -1e307, -5.5e307),
        (1e308, INF, 1.7976931348623157e308),
    ],
)
def test_middle(lo: float, hi: float, expected: float) -> None:
    assert float(middle(np.float64(lo), np.float64(hi))) == pytest.approx(expected)
