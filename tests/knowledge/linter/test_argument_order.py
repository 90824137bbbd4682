"""Rules whose arguments go by the columns' order although their names suggest another: check and fit warn."""

import logging
from pathlib import Path

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.knowledge.logic.remarks import warn_of_order
from hypo.knowledge.logic.sentence import parse_logic

pytestmark = pytest.mark.usefixtures("short_searches")

COLUMNS = ("V", "S", "K")
OVER = "forall S in [1, 2], K in [1, 2], V in [1, 2]: "
LOCAL = "forall a in [1, 2], b in [1, 2], c in [1, 2]: "


def warning(text: str, columns: tuple[str, ...] = COLUMNS) -> str:
    return warn_of_order(parse_logic(text, variables=columns, target="v"))


@pytest.mark.parametrize(
    "text",
    [
        OVER + "v(S, K, V) <= V",
        OVER + "f(S, K, V) <= V",
        "v(S, K, V) <= V",  # columns that nobody quantifies run over their ranges
        OVER + "v(S, K, V) >= 0 and v(K, S, V) >= 0",
        OVER + "v(2*S, K, V) > v(S, K, V)",
        OVER + "1/v(S, K, V) + exp(v(S, K, V)) > 1",
        OVER + "S > K implies v(S, K, V) <= 1 or v(S, K + 1, V) <= V",
        OVER + "dv/dS(S, K, V) > 0",
        OVER + "v(0, K, S) = 0",
    ],
)
def test_another_order_everywhere_is_warned_of(text: str) -> None:
    assert "arguments go by the columns' order (V, S, K)" in warning(text)


@pytest.mark.parametrize(
    "text",
    [
        OVER + "v(V, S, K) <= V",
        OVER + "v(V, S, K) = v(V, K, S)",  # a symmetry: one call is in order
        OVER + "v(2*V, S, K) > v(V, S, K)",
        OVER + "v(S=S, K=K, V=V) <= V",
        "v <= V",
        LOCAL + "v(b, c, a) <= a",
        OVER + "v(S, S, S) <= V",
        OVER + "v(S + K, K, V) <= V",
        OVER + "v(0, S, 1) >= 0",
        "forall V in [1, 2]: v(0, V, 0) >= 0",
    ],
)
def test_what_means_what_it_says_is_not(text: str) -> None:
    assert warning(text) == ""


def test_the_warning_shows_both_ways_to_write_it() -> None:
    assert warning(OVER + "v(S, 2*K, V) <= V") == (
        "in v(S, 2*K, V) V is S, S is 2*K and K is V, because arguments go by the columns' order (V, S, K); if the names are "
        "meant, write v(V, S, 2*K) or v(V=V, S=S, K=2*K)"
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    V, S, K = rng.uniform(1.0, 2.0, (3, 20))
    rows = np.column_stack([V, S, K, V * S / (K + S)])
    np.savetxt(tmp_path / "d.csv", rows, delimiter=",", header="V,S,K,v", comments="")
    (tmp_path / "k.toml").write_text(f'[[rule]]\nkind = "logic"\nhard = true\nformula = "{OVER}v(S, K, V) <= V"\n')
    return tmp_path


def test_check_warns_with_the_line(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(table / "k.toml"), str(table / "d.csv"), "--target", "v"]) == 0
    assert "k.toml:4: warning: [[rule]] 1 formula: in v(S, K, V) V is S" in capsys.readouterr().out


def test_fit_warns_before_and_after(table: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="hypo"):
        result = hypo.fit(table / "d.csv", "v", knowledge=table / "k.toml", operators="+,*", posterior=False)
    assert any("[[rule]] 1: in v(S, K, V) V is S" in message for message in caplog.messages)
    assert any("write v(V, S, K) or v(V=V, S=S, K=K)" in line for line in result.remarks())
