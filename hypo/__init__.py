"""hypo: the public names, and nothing else.

    >>> import hypo
    >>> result = hypo.fit("data.csv", target="y", time_limit=10)
    >>> print(result.expression)

Names are imported on first use, so that ``import hypo`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any

from hypo.errors import DataError, FormulaError, HypoError, InputError, KnowledgeError, MissingExtraError, UnitError
from hypo.starting import note_loading

if TYPE_CHECKING:
    from hypo.api.audit import audit
    from hypo.api.estimator import SymbolicRegressor
    from hypo.api.fit import fit
    from hypo.api.merge import merge
    from hypo.api.score import score
    from hypo.data import Dataset, read_csv
    from hypo.dynamics.fit import WorldModel, fit_dynamics
    from hypo.expression.expr import Expression
    from hypo.expression.parser import parse
    from hypo.expression.user_operators import Operator
    from hypo.knowledge.knowledge import Knowledge
    from hypo.result.result import Result

__version__ = "0.1.0"

__all__ = [
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

_HOME = {
    "Dataset": "hypo.data",
    "Expression": "hypo.expression.expr",
    "Knowledge": "hypo.knowledge.knowledge",
    "Operator": "hypo.expression.user_operators",
    "Result": "hypo.result.result",
    "SymbolicRegressor": "hypo.api.estimator",
    "WorldModel": "hypo.dynamics.fit",
    "audit": "hypo.api.audit",
    "fit": "hypo.api.fit",
    "fit_dynamics": "hypo.dynamics.fit",
    "merge": "hypo.api.merge",
    "parse": "hypo.expression.parser",
    "read_csv": "hypo.data",
    "score": "hypo.api.score",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hypo' has no attribute {name!r}")
    since = monotonic()
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    note_loading(since)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
