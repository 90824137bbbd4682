"""What a notebook shows, found by executing one: tables, the law in mathematics, one line of progress, one picture."""

import asyncio
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import hypo

with warnings.catch_warnings():
    # Of packages between nbclient and the kernel, on their own behalf.
    warnings.simplefilter("ignore")
    import nbclient
    import nbformat

DATA = """
import numpy as np
import hypo

X = np.linspace(1.0, 3.0, 40).reshape(20, 2)
y = 2.537*X[:, 0]*X[:, 1] + 0.01*np.sin(37.0*X[:, 0])
LESS = {"operators": ["+", "*"], "max_complexity": 5, "workers": 1, "time_limit": 4.0}
"""
CELLS = {
    "fit": 'result = hypo.fit(X, y, features=["<m>", "a"], units={"y": "N", "a": "m/s^2", "<m>": "kg"}, **LESS)',
    "quiet": "quiet = hypo.fit(X, y, progress=False, **{**LESS, 'time_limit': 0.5})",
    "audit": "hypo.audit(X, y, seeds=2, bootstrap=0, **{**LESS, 'turns': 1, 'scheduler': 'threads'})",
    "estimator": "_ = hypo.SymbolicRegressor(**{**LESS, 'time_limit': 0.5}).fit(X, y)",
    "print": "print(result)",
    "shown": "result",
    "repr": "print(repr(result))",
    "plot": "result.plot()",
    "suggest": "result.suggest(n=2)",
    "predict": "result.predict(X[:3], return_std=True)",
    "again": "import matplotlib.pyplot\nresult.plot()",
}
Outputs = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outputs]:
    """The outputs of each cell, executed in order in a kernel of the running Python."""
    home = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(home))
        # As Jupyter starts its kernels, whatever the tests use.
        patch.delenv("MPLBACKEND", raising=False)
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in (DATA, *CELLS.values())])
        client = nbclient.NotebookClient(
            book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(home)}}
        )
        asyncio.run(client.async_execute())
    yield {name: cell["outputs"] for name, cell in zip(("data", *CELLS), book.cells, strict=True)}


def streams(cell: list[dict[str, Any]], name: str) -> str:
    return "".join(out["text"] for out in cell if out["output_type"] == "stream" and out["name"] == name)


def pictures(cell: list[dict[str, Any]]) -> int:
    return sum("image/png" in out.get("data", {}) for out in cell)


@pytest.mark.slow
def test_progress_is_one_line_that_shows_by_itself(outputs: Outputs) -> None:
    (line,) = outputs["fit"]
    assert line["output_type"] == "display_data"
    assert line["data"]["text/plain"].endswith("ended") and "\n" not in line["data"]["text/plain"]
    (line,) = outputs["audit"][:-1]
    assert line["data"]["text/plain"].startswith("2 of 2 fits")
    (line,) = outputs["estimator"]
    assert "best y = " in line["data"]["text/plain"]


def test_progress_can_be_left_out(outputs: Outputs) -> None:
    assert outputs["quiet"] == []


def test_a_printed_result_keeps_its_table(outputs: Outputs) -> None:
    (out,) = outputs["print"]
    lines = out["text"].splitlines()
    assert lines[0].startswith("y = ") and "± " in lines[1]
    header = next(line for line in lines if "complexity" in line)
    assert header.split()[:4] == ["complexity", "score", "misfit", "R²"]
    assert sum(line.startswith("*") for line in lines) == 1


def test_a_result_is_shown_in_mathematics(outputs: Outputs) -> None:
    (out,) = outputs["shown"]
    page, plain, latex = (out["data"][kind] for kind in ("text/html", "text/plain", "text/latex"))
    law = latex.strip("$")
    assert law.startswith("y = ") and rf"$\displaystyle {law}$" in page
    assert page.count("<tr>") > 2 and page.count("<td>*</td>") == 1
    assert " ± " in page and "<li>" in page
    assert plain.startswith("<Result y = ") and len(plain) < 200


def test_a_representation_is_short(outputs: Outputs) -> None:
    assert len(streams(outputs["repr"], "stdout")) < 200
    (out,) = outputs["predict"]
    assert "array" not in out["data"]["text/plain"]


def test_a_plot_is_one_picture(outputs: Outputs) -> None:
    assert (len(outputs["plot"]), pictures(outputs["plot"])) == (1, 1)
    assert (len(outputs["again"]), pictures(outputs["again"])) == (1, 1)


def test_other_results_are_tables(outputs: Outputs) -> None:
    (out,) = outputs["suggest"]
    assert out["data"]["text/html"].count("<tr>") == 3
    assert "<table>" in outputs["audit"][-1]["data"]["text/html"]


def test_no_progress_outside_of_notebooks(capsys: pytest.CaptureFixture[str]) -> None:
    assert "IPython" not in sys.modules or sys.modules["IPython"].get_ipython() is None
    hypo.fit(([[1.0], [2.0], [3.0], [4.0]], [2.0, 4.0, 6.0, 8.0]), time_limit=2.0, workers=1)
    assert capsys.readouterr() == ("", "")
