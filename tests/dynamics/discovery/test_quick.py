"""A first law of a few terms."""

import numpy as np

from hypo.dynamics.discovery.quick import quick_law
from hypo.dynamics.smoothing.smoother import smooth_runs


class _Rows:
    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.X = random.normal(size=(80, 10))
        self.target = 2.0 * self.X[:, 3] - 0.5 * self.X[:, 7] + 0.01 * random.normal(size=80)


def test_few_terms() -> None:
    law = quick_law(_Rows(), tuple(f"x{i}" for i in range(10)))  # type: ignore[arg-type]
    assert {"x3", "x7"} <= set(law.variables)
    assert len(law.variables) <= 4


def test_a_run_of_four_exact_samples() -> None:
    t, short = np.linspace(0.0, 6.0, 40), np.linspace(0.0, 2.0, 4)
    paths = smooth_runs([(t, np.exp(-0.5 * t)), (short, 2.0 * np.exp(-0.5 * short))])
    assert np.allclose(paths[1].value, 2.0 * np.exp(-0.5 * short), atol=1e-3)
