"""Rows against convexity and conserved quantities: what rows show is said, what they do not show is not."""

from pathlib import Path

import numpy as np
import pytest

from hypo.data import from_arrays
from hypo.knowledge import lint


def blamed(tmp_path: Path, rule: str, law, n: int, noise: float, seed: int = 0) -> bool:
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 2.0, (n, 2))
    y = law(*X.T)
    y = y + noise * y.std() * rng.standard_normal(n)
    path = tmp_path / "k.toml"
    path.write_text(f"[[rule]]\n{rule}\n")
    return any("break this rule" in str(f) for f in lint(path, from_arrays(X, y, names=["a", "b"])))


CASES = [
    ('kind = "convex"\nvariable = "a"', lambda a, b: (a * b) ** 2, lambda a, b: -((a * b) ** 2)),
    ('kind = "concave"\nvariables = ["b", "a"]', lambda a, b: np.log(a) - b**2, lambda a, b: np.exp(2 * a) - b),
    ('kind = "conserved"\nquantity = "a*b**2"', lambda a, b: (a * b**2) ** 1.5, lambda a, b: (a * b) ** 2),
    ('kind = "conserved"\nquantity = "a + 2*b"', lambda a, b: np.exp(a + 2 * b), lambda a, b: np.exp(2 * a + b)),
]


@pytest.mark.parametrize(("rule", "true", "false"), CASES, ids=[rule.replace("\n", ", ") for rule, _, _ in CASES])
def test_rows_blame_the_false_rule_and_not_the_true_one(tmp_path: Path, rule: str, true, false) -> None:
    for n, noise in ((60, 0.0), (200, 0.02)):
        assert blamed(tmp_path, rule, false, n, noise)
        assert not any(blamed(tmp_path, rule, true, n, noise, seed) for seed in range(4))


def test_curvature_is_looked_for_in_the_domain_only(tmp_path: Path) -> None:
    rule = 'kind = "convex"\nvariable = "a"\nwhere = { a = [0.5, 1.2] }'
    assert not blamed(tmp_path, rule, lambda a, b: np.where(a < 1.2, (a - 1.2) ** 2, -3 * (a - 1.2) ** 2) + b, 400, 0.0)
