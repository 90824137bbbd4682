"""``result.json``: its rows, and how a result is read back from it and checked."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.errors import InputError
from hypo.expression import operators as ops
from hypo.kernels import opcodes as oc
from hypo.report import tables
from hypo.report.constants import ConstantRow
from hypo.report.coverage import Coverage, Efficiency
from hypo.report.formatting import format_number
from hypo.report.rules import RuleRow
from hypo.result import entries
from hypo.result.entries import Damaged
from hypo.result.record import Record

if TYPE_CHECKING:
    from hypo.expression.expr import Expression
    from hypo.posterior.posterior import Posterior
    from hypo.result.fields import ResultFields
    from hypo.scoring.score import Hypothesis

SCHEMA = "hypo-result/1"
RESULT_FILE = "result.json"

FIGURES = ("misfit", "complexity_cost", "violation", "score", "r2", "rmse")


def make_hypothesis_row(h: Hypothesis, constants: Sequence[ConstantRow]) -> dict[str, Any]:
    """One entry of ``front``."""
    e = h.expression
    whole = float(h.complexity).is_integer()
    return {
        "expression": str(e),
        "pretty": e.pretty(),
        "latex": e.latex(),
        "complexity": int(h.complexity) if whole else float(h.complexity),
        "constants": [c.as_dict() for c in constants],
        **{name: getattr(h, name) for name in FIGURES},
    }


def to_dict(result: ResultFields) -> dict[str, Any]:
    """:meth:`hypo.Result.to_dict`."""
    believed = tables.count_believed(result.front)
    rows = [
        {**make_hypothesis_row(h, c), "origin": h.origin, "believed": k < believed}
        for k, (h, c) in enumerate(zip(result.front, result.constants, strict=True))
    ]
    posterior = result.posterior
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "status": {"code": result.status, "message": result.message},
        "best": None if result.best is None else rows[result.front.index(result.best)],
        "front": rows,
        "coverage": asdict(result.coverage),
        "efficiency": asdict(result.efficiency),
        "rules": [row.as_dict() for row in result.rules],
        "posterior": [] if posterior is None else [s.as_dict() for s in posterior.structures],
        "inclusion": None if posterior is None else posterior.summary(),
        "timing": result.timing,
        "manifest": result.record.as_dict(),
    }
    own = list_user_operators(h.expression for h in result.front)
    if own:
        content["user_operators"] = own
    found: dict[str, Any] = jsonable(content)
    return found


def front_csv(result: ResultFields) -> str:
    """:meth:`hypo.Result.front_csv`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("best", "complexity", *FIGURES, "expression", "pretty", "origin", "believed"))
    believed = tables.count_believed(result.front)
    for k, h in enumerate(result.front):
        figures = [repr(float(getattr(h, name))) for name in FIGURES]
        own = (int(h == result.best), format_number(h.complexity))
        writer.writerow((*own, *figures, str(h.expression), h.expression.pretty(), h.origin, int(k < believed)))
    return stream.getvalue()


def jsonable(value: Any) -> Any:
    """``value`` with tuples as lists, NumPy numbers as Python's, and None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, str) else str(value)


def list_user_operators(formulas: Iterable[Expression]) -> list[str]:
    """The names of the operators of users in ``formulas``."""
    codes = sorted({op for e in formulas for op, _ in e.code if oc.is_user_defined(op)})
    return [ops.BY_OPCODE[op].name for op in codes]


class OperatorsMissing(ValueError):
    """Says which operators of users a result needs that are not defined."""


def read_fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the result whose :meth:`Result.to_dict` is ``content``; raises ValueError if there is none."""
    status = entries.read_table(content, "status")
    chosen = None if content.get("best", 0) is None else entries.read_table(content, "best")
    rows = entries.read_tables(content, "front")
    coverage, efficiency = (entries.read_table(content, key) for key in ("coverage", "efficiency"))
    record = Record.from_dict(entries.read_table(content, "manifest"))
    unknown = [name for name in entries.read_texts(content, "user_operators", []) if ops.lookup(name) is None]
    if unknown:
        raise OperatorsMissing(ops.missing(unknown))
    front = tuple(_read_hypothesis(row, record) for row in rows)
    if chosen is not None and chosen not in rows:
        raise Damaged('the entry "best" is not in the entry "front"')
    return {
        "best": None if chosen is None else front[rows.index(chosen)],
        "front": front,
        "status": entries.read_text(status, "code"),
        "message": entries.read_text(status, "message"),
        "coverage": Coverage(*(entries.read_whole_number(coverage, f.name) for f in fields(Coverage))),
        "efficiency": Efficiency(*(entries.read_number(efficiency, f.name) for f in fields(Efficiency))),
        "timing": entries.read_table(content, "timing"),
        "record": record,
        "constants": tuple(tuple(map(_read_constant, row["constants"])) for row in rows),
        # Results of older versions have no rules and no posterior.
        "rules": tuple(RuleRow.read(row) for row in content.get("rules", [])),
        "posterior": _read_posterior(content, record),
    }


def _read_posterior(content: Mapping[str, Any], record: Record) -> Posterior | None:
    from hypo.posterior.posterior import Posterior, Structure

    rows, summary = content.get("posterior"), content.get("inclusion")
    if not rows or summary is None:
        return None
    structures = tuple(Structure.read(row, record.table.features, record.units.constants) for row in rows)
    if not all(s.dof > 0 and s.sigma >= 0 for s in structures):
        raise Damaged('a member of the entry "posterior" has a "dof" or "sigma" below 0')
    if any(line[k] < 0 for s in structures for k, line in enumerate(s.covariance)):
        raise Damaged('a member of the entry "posterior" has a variance below 0')
    return Posterior(
        structures=structures,
        variables=dict(summary["variables"]),
        operators=dict(summary["operators"]),
        within=summary["within_odds"]["structures"],
        covers=entries.read_text(summary, "covers"),
        # Results of older versions have none of these.
        terms=dict(summary.get("terms", {})),
        chain=_read_chain(summary),
        unearned=entries.read_optional_text(summary, "unearned", None) or "",
    )


def _read_chain(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    if summary.get("chain") is None:
        return None
    chain = entries.read_table(summary, "chain")
    entries.read_text(chain, "verdict")
    for name in ("chains", "steps", "acceptance", "visited", "weighed", "between_chains", "to_weights"):
        entries.read_number(chain, name)
    entries.read_flag(chain, "mixed")
    if not all(v is None or isinstance(v, float | int) for v in entries.read_table(chain, "rhat").values()):
        raise Damaged('a member of the entry "rhat" is not a number')
    return chain


def _read_constant(c: Mapping[str, Any]) -> ConstantRow:
    return ConstantRow(
        entries.read_text(c, "name"),
        entries.read_number(c, "value"),
        entries.read_optional_text(c, "unit"),
        # Results of older versions have no intervals.
        *(entries.read_optional_number(c, name, None) for name in ("std", "lower", "upper")),
    )


def _read_hypothesis(row: Mapping[str, Any], record: Record) -> Hypothesis:
    from hypo.errors import FormulaError
    from hypo.expression.expr import Expression
    from hypo.expression.parser import parse
    from hypo.scoring.score import Hypothesis

    text = entries.read_text(row, "expression")
    try:
        e = parse(text, variables=record.table.features, constants=record.units.constants)
    except FormulaError as error:
        raise Damaged(f'the formula "{text}" cannot be read') from error
    if e.free:
        raise Damaged(f'the formula "{text}" holds an unknown name, {e.constants[e.free[0]].name}')
    fitted = {_read_constant(c).value for c in entries.read_tables(row, "constants")}
    constants = tuple(replace(c, free=c.name is None and c.value in fitted) for c in e.constants)
    figures = {name: entries.read_optional_number(row, name) for name in FIGURES}
    return Hypothesis(
        expression=Expression(e.code, constants, e.variables),
        complexity=entries.read_number(row, "complexity"),
        # Results of older versions have none.
        origin=entries.read_text(row, "origin", Hypothesis.origin),
        **{name: math.nan if value is None else value for name, value in figures.items()},
    )


def damage_error(path: Path, error: Exception) -> InputError:
    """The file at ``path`` was once a result, but ``error`` came up."""
    if isinstance(error, OperatorsMissing):
        return InputError(f"cannot read {path}: {error}")
    what = str(error) if isinstance(error, Damaged) else "an entry has the wrong form"
    return InputError(f"{path} is damaged ({what}); run hypo fit again")


def _parse_number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise Damaged(f"{text[:12]} is no number of a result")
    return value


def _parse_whole(text: str) -> int:
    _parse_number(text)
    return int(text)


def read_content(path: Path) -> dict[str, Any]:
    """The content of a result file. Raises InputError where there is none."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no ordinary file: give the folder that hypo fit wrote")
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, parse_float=_parse_number, parse_int=_parse_whole)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"there is no result at {path}: give the folder that hypo fit wrote") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    except RecursionError as error:
        raise damage_error(path, Damaged("lists stand too deep within each other")) from error
    except ValueError as error:
        raise damage_error(path, error) from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(schema, str):
        raise InputError(f'{path} is no result of hypo (no entry "schema"): give the folder that hypo fit wrote')
    if schema != SCHEMA:
        raise InputError(f"{path} has schema {schema!r}, but this version of hypo reads {SCHEMA!r}")
    return dict(content)
