"""The source of :mod:`hypo.api.parameters.typed`: the parameters with their types, for editors and type checkers.

Signatures are made at run time, where no editor looks. So every call declares ``**settings: Unpack[FitSettings]`` (PEP 692),
a dictionary type with a key for each row. Bodies are still checked, as they would not be beside a stub.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from hypo.api.parameters.calls import list_parameters
from hypo.api.parameters.parameter import AUDIT, ESTIMATOR, FIT, SCORE, Parameter

PLACE = Path(__file__).with_name("typed.py")
# Columns of a docstring.
WIDTH = 120

HEAD = '''"""The parameters of each call with their types, for editors and type checkers.

Made from the table of parameters: ``python -m hypo.api.parameters`` writes it anew. Do not edit it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

    from hypo.api.audit import AuditProgress
    from hypo.api.inputs import KnowledgeLike
    from hypo.data.tables import XSigma
    from hypo.expression.expr import Expression
    from hypo.expression.user_operators import Operator
    from hypo.likelihood.custom import LogLikelihood
    from hypo.result.folders import Destination
    from hypo.search.outcome import Progress

    ProgressLike = bool | Callable[[Progress], None] | None
'''


def make_types_source() -> str:
    """The text of the module."""
    rows = {call: _by_keyword(list_parameters(call)) for call in (FIT, SCORE, AUDIT, ESTIMATOR)}
    shared = [p for p in rows[FIT] if p in rows[SCORE] and p in rows[AUDIT]]
    parts = [
        HEAD,
        _class(
            "SharedSettings",
            "TypedDict, total=False",
            "Parameters that a fit, a score and an audit have in common.",
            shared,
        ),
    ]
    for call, name, said in (
        (FIT, "FitSettings", "Parameters of :func:`hypo.fit` that are given by name."),
        (SCORE, "ScoreSettings", "Parameters of :func:`hypo.score` that are given by name."),
        (AUDIT, "AuditSettings", "Parameters of :func:`hypo.audit` that are given by name."),
    ):
        parts.append(_class(name, "SharedSettings, total=False", said, [p for p in rows[call] if p not in shared]))
    said = "Parameters of :class:`hypo.SymbolicRegressor` that are given by name."
    parts.append(_class("EstimatorSettings", "TypedDict, total=False", said, rows[ESTIMATOR]))
    said = "The attributes that hold the parameters of :class:`hypo.SymbolicRegressor`."
    attributes = "\n".join(f"    {p.name}: {p.type}" for p in list_parameters(ESTIMATOR))
    parts.append(f'class EstimatorAttributes:\n    """{said}"""\n\n{attributes}\n')
    return "\n\n".join(parts)


def _by_keyword(rows: Iterable[Parameter]) -> list[Parameter]:
    return [p for p in rows if not p.is_positional]


def _class(name: str, base: str, said: str, rows: Iterable[Parameter]) -> str:
    return (
        "\n".join([f"class {name}({base}):", f'    """{said}"""', "", *(line for p in rows for line in _key(p))]) + "\n"
    )


def _key(p: Parameter) -> Iterator[str]:
    yield f"    {p.name}: {p.type}"
    text = p.help[:1].upper() + p.help[1:]
    lines = textwrap.wrap(text, WIDTH - 10, break_long_words=False, break_on_hyphens=False)
    yield f'    """{lines[0]}' + ('"""' if len(lines) == 1 else "")
    yield from (f"    {line}" for line in lines[1:])
    if len(lines) > 1:
        yield '    """'
