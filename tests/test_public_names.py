"""The public names are frozen here: adding or removing one is a decision, not an accident."""

import subprocess
import sys

import pytest

import hypo

PUBLIC = [
    "DataError",
    "Dataset",
    "Expression",
    "FormulaError",
    "HypoError",
    "InputError",
    "Knowledge",
    "KnowledgeError",
    "MissingExtraError",
    "Operator",
    "Result",
    "SymbolicRegressor",
    "UnitError",
    "WorldModel",
    "__version__",
    "audit",
    "fit",
    "fit_dynamics",
    "merge",
    "parse",
    "read_csv",
    "score",
]
HEAVY = ("click", "distributed", "matplotlib", "numba", "numpy", "pandas", "pint", "rich", "scipy", "sklearn", "sympy")


def modules_after(code: str) -> set[str]:
    """Top-level modules loaded by a fresh interpreter that runs ``code``."""
    script = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stderr.split())


def test_names() -> None:
    assert sorted(hypo.__all__) == sorted(PUBLIC)
    assert dir(hypo) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_resolves(name: str) -> None:
    assert getattr(hypo, name) is not None


def test_classes_come_from_where_they_live() -> None:
    assert hypo.Expression.__module__ == "hypo.expression.expr"
    assert hypo.SymbolicRegressor.__module__ == "hypo.api.estimator"
    assert hypo.Result.__module__ == "hypo.result.result"


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'hypo' has no attribute 'evolve'"):
        _ = hypo.evolve  # type: ignore[attr-defined]


def test_import_is_cheap() -> None:
    assert modules_after("import hypo").isdisjoint(HEAVY)


def test_help_is_cheap() -> None:
    loaded = modules_after("from hypo.cli.main import main; main(['--help']); main(['fit', '--help'])")
    assert loaded.isdisjoint(set(HEAVY) - {"click"})


def test_reading_a_result_is_cheap() -> None:
    loaded = modules_after("import hypo; hypo.Result, hypo.parse, hypo.Knowledge, hypo.read_csv, hypo.fit")
    assert loaded.isdisjoint(set(HEAVY) - {"numpy"})
