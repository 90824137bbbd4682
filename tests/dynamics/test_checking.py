"""Knowledge of laws of motion held against a table, without a search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hypo.dynamics.checking import check_motion
from hypo.dynamics.reading import Roles
from hypo.errors import DataError

T = np.linspace(0.0, 3.0, 12)
TABLE = {"t": T, "prey": np.exp(-T), "pred": 1.0 + T, "u": np.sin(T)}
ROLES = Roles("t", "prey,pred", "u")


def told(path: Path, text: str, **kind: object) -> list[str]:
    path.write_text(text)
    return [f"{f.level}: {f.message}" for f in check_motion(path, TABLE, ROLES, **kind) if f.level == "error"]  # type: ignore[arg-type]


def test_what_does_not_fit_the_table(tmp_path: Path) -> None:
    path = tmp_path / "k.toml"
    assert told(path, '[dynamics]\nprey = "r*prey - g(prey, pred)"\npositive = ["prey"]\nlinear_inputs = ["u"]\n') == []
    assert told(path, '[dynamics]\npositive = ["prey", "predd"]\nlinear_inputs = ["pred"]\n') == [
        "error: [dynamics] positive: predd is no state; did you mean pred?",
        "error: [dynamics] linear_inputs: pred is no input; the inputs are u",
    ]
    assert "does not keep a state from becoming negative" in told(path, '[dynamics]\npositive = ["prey"]\n', order=2)[0]
    assert "about one law, and a system has several" in told(path, '[guesses]\nforms = ["a*prey"]\n')[0]
    assert len(told(path, "[dynamics]\nprey = 3\n")) == 1
    path.write_text('[dynamics]\npositive = ["prey"]\n')
    with pytest.raises(DataError, match="no column"):
        check_motion(path, TABLE, Roles("day"))
