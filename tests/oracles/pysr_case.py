"""A law that PySR's stand-in finds, what it is told to write, and what it leaves behind."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo

X = np.random.default_rng(0).uniform(1.0, 3.0, (80, 2))
# Beyond what a search of a few seconds finds by itself; S is a name that PySR refuses.
Y = np.sin(X[:, 0] * X[:, 1] * 1.7) * np.exp(0.31 * X[:, 1]) + X[:, 0] ** 1.3
NAMES = ["a", "S"]
HEADER = "Complexity,Loss,Equation\n"
LAW = '16,1.0e-9,"(sin((x1 * x2) * 1.71) * exp(x2 * 0.3)) + (x1 ^ 1.31)"\n'

needs_pysr = pytest.mark.skipif(find_spec("pysr") is None, reason="PySR is not installed: pip install 'hypo[pysr]'")


def write(stages: Path, *halls: str, go: bool = True) -> None:
    """What the stand-in finds, stage by stage; without ``go`` it waits."""
    for number, rows in enumerate(halls, start=1):
        (stages / f"{number}.csv").write_text(HEADER + rows)
        if go:
            (stages / f"go{number}").touch()


def fit(**arguments: Any) -> hypo.Result:
    given = {"features": NAMES, "time_limit": 20, "workers": 1, **arguments}
    return hypo.fit(X, Y, **given)


def left_behind(stages: Path) -> list[Path]:
    """Folders of PySR that are still there."""
    return list(stages.parent.glob("hypo-pysr-*"))
