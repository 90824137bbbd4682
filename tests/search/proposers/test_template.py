"""Templates in the search: only the unknown parts are searched for."""

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.clock import Clock
from hypo.failures import Failures
from hypo.knowledge import Knowledge
from hypo.problem.problem import Settings, make_problem
from hypo.search.library.context import Workers
from hypo.search.proposers.base import Workspace
from hypo.search.proposers.template import TemplateSearch
from hypo.search.run import search_part

CASES = {
    "sqrt(L/g)*h(t)": ("sqrt(L/g)*(6 + t**2)", "Lgt"),
    "g(x)*h(y)": ("(1 + x**2)*sin(y)", "xy"),
    "exp(-g(x))*h(y) + c": ("exp(-1.5*x)*sqrt(y) + 2", "xy"),
    "g(x)/(1 + h(y))": ("x/(1 + y**2)", "xy"),
}


def table(law: str, names: str, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 3.0, (n, len(names)))
    y = hypo.expression.program.evaluate(hypo.parse(law), X, list(names))
    return pd.DataFrame(X, columns=list(names)).assign(T=y + 0.005 * np.std(y) * rng.standard_normal(n))


def test_one_unknown_function_is_found() -> None:
    law, names = CASES["sqrt(L/g)*h(t)"]
    result = hypo.fit(table(law, names), "T", knowledge={"template": {"form": "sqrt(L/g)*h(t)"}}, time_limit=8)
    assert result.best is not None
    assert result.best.r2 > 0.9999
    # Whatever was found has the form: the ratio to the known factor depends on t alone.
    rng = np.random.default_rng(1)
    X = rng.uniform(0.5, 3.0, (50, 3))
    X[:, 2] = 1.7
    ratio = result.predict(X) / np.sqrt(X[:, 0] / X[:, 1])
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    assert all("t" in h.expression.variables or len(h.expression.variables) == 2 for h in result.front)


@pytest.mark.parametrize("form", [f for f in CASES if f.count("h(") and "g(" in f])
def test_backfitting_separates_two_unknown_functions(form: str) -> None:
    law, names = CASES[form]
    known = Knowledge.from_dict({"template": {"form": form}})
    from hypo.data import as_dataset

    dataset, _ = as_dataset(table(law, names), "T")
    problem = make_problem(dataset, known, Settings())
    assert problem.template is not None
    search = TemplateSearch(
        Workspace(problem, Settings()), lambda p, s: search_part(p, s, workers=Workers.of(), failures=Failures())
    )

    class Turn:
        rng = np.random.default_rng(0)
        clock = Clock()

    search._backfit(Turn())  # type: ignore[arg-type]
    miss = problem.y - search._at(search._form)
    assert np.sqrt(np.mean(miss**2)) < 0.25 * np.std(problem.y)


def test_a_template_that_no_column_fits_is_refused() -> None:
    with pytest.raises(hypo.KnowledgeError, match="q"):
        hypo.fit(table("x*y", "xy"), "T", knowledge={"template": {"form": "x*h(q)"}}, time_limit=1)
