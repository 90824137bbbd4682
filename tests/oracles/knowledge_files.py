"""A knowledge file, one on disk, and what is wrong with it: for tests of reading and of checking."""

from pathlib import Path

import numpy as np
import pytest

from hypo.data import Dataset, from_arrays
from hypo.errors import KnowledgeError
from hypo.knowledge import Knowledge

EXAMPLE = """\
# A pendulum.
[units]                       # SI strings
T = "s"
L = "m"
g = "m/s^2"
theta = "rad"

[constants]
c = { value = 299792458.0, unit = "m/s" }

[grammar]
operators = ["+", "-", "*", "/", "sqrt", "sin"]
forbid = ["tan"]
max_complexity = 25

[grammar.nesting]             # inside sin, neither sin nor exp
sin = ["sin", "exp"]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "K.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str) -> list[str]:
    """The problems of a file, without its folder."""
    path = write(tmp_path, text)
    with pytest.raises(KnowledgeError) as caught:
        Knowledge.load(path)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [p.replace(f"{path}:", "K:") for p in caught.value.problems]


def pendulum(**changes: object) -> Dataset:
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, (5, 3))
    options = {"names": ["L", "g", "theta"], "target": "T"} | changes
    return from_arrays(X, np.sqrt(X[:, 0]), **options)
