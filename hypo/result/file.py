"""``result.json``: its rows, and how a result is read back from it and checked."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.errors import InputError
from hypo.report import tables
from hypo.report.constants import ConstantRow
from hypo.report.coverage import Coverage, Efficiency
from hypo.report.rules import RuleRow

if TYPE_CHECKING:
    from hypo.posterior.posterior import Posterior
    from hypo.result.result import Result
    from hypo.scoring.score import Hypothesis

SCHEMA = "hypo-result/1"
RESULT_FILE = "result.json"

FIGURES = ("misfit", "complexity_cost", "violation", "score", "r2", "rmse")


def hypothesis_row(h: Hypothesis, constants: Sequence[ConstantRow]) -> dict[str, Any]:
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


def to_dict(result: Result) -> dict[str, Any]:
    """:meth:`hypo.Result.to_dict`."""
    believed = tables.count_believed(result.front)
    rows = [
        {**hypothesis_row(h, c), "origin": h.origin, "believed": k < believed}
        for k, (h, c) in enumerate(zip(result.front, result.constants, strict=True))
    ]
    posterior = result.posterior
    content = {
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
        "manifest": result.manifest,
    }
    found: dict[str, Any] = jsonable(content)
    return found


def front_csv(result: Result) -> str:
    """:meth:`hypo.Result.front_csv`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("best", "complexity", *FIGURES, "expression", "pretty", "origin", "believed"))
    believed = tables.count_believed(result.front)
    for k, h in enumerate(result.front):
        figures = [repr(float(getattr(h, name))) for name in FIGURES]
        own = (int(h == result.best), tables.number(h.complexity))
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


class Damaged(ValueError):
    """Says in words what is wrong with the content of a result file."""


_KINDS: dict[type, tuple[type | tuple[type, ...], str]] = {
    dict: (Mapping, "a table"),
    list: (list, "a list"),
    str: (str, "a text"),
    float: ((int, float), "a number"),
}


def _require_entry(table: Mapping[str, Any], key: str, kind: type, optional: bool = False) -> Any:
    """``table[key]``, which must be of ``kind``, or None when ``optional``; raises Damaged otherwise."""
    if key not in table:
        raise Damaged(f'no entry "{key}"')
    value = table[key]
    types, name = _KINDS[kind]
    if not (isinstance(value, types) or (optional and value is None)):
        raise Damaged(f'the entry "{key}" is not {name}')
    return value


def _require_all(values: Iterable[Any], kind: type, key: str) -> None:
    types, name = _KINDS[kind]
    if not all(isinstance(value, types) for value in values):
        raise Damaged(f'a member of the entry "{key}" is not {name}')


def read_fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the result whose :meth:`Result.to_dict` is ``content``; raises ValueError if there is none."""
    status = _require_entry(content, "status", dict)
    code, message = (_require_entry(status, key, str) for key in ("code", "message"))
    chosen = _require_entry(content, "best", dict, optional=True)
    rows = _require_entry(content, "front", list)
    _require_all(rows, dict, "front")
    coverage, efficiency, timing = (_require_entry(content, key, dict) for key in ("coverage", "efficiency", "timing"))
    manifest = _require_entry(content, "manifest", dict)
    settings = _require_entry(manifest, "settings", dict)
    _require_entry(settings, "target", str)
    _require_all(_require_entry(settings, "features", list), str, "features")
    for key, kind in (("units", str), ("scales", float), ("constants", float)):
        _require_all(_require_entry(settings, key, dict).values(), kind, key)
    for key in ("columns", "notes"):
        _require_all(_require_entry({key: [], **settings}, key, list), str, key)
    _require_all(_require_entry({"doubts": [], **manifest}, "doubts", list), str, "doubts")
    for failure in _require_entry({"failures": [], **manifest}, "failures", list):
        if not isinstance(failure, Mapping):
            raise Damaged('a member of the entry "failures" is not a table')
        for key in ("part", "error", "where"):
            _require_entry(failure, key, str)
    if settings.get("columns") and not set(settings["features"]) <= set(settings["columns"]):
        raise Damaged('the entry "columns" lacks a feature')
    if not all(0 < factor < math.inf for factor in settings["scales"].values()):
        raise Damaged('a member of the entry "scales" is not above 0')
    for key in ("n_row", "n_dropped", "max_complexity", "time_limit", "lam"):
        _require_entry({key: None, **settings}, key, float, optional=True)
    _require_entry({"grammar": {}, **_require_entry({"knowledge": {}, **settings}, "knowledge", dict)}, "grammar", dict)
    for key in ("unit_note", "model_selection", "thousands"):
        _require_entry({key: "", **settings}, key, str)
    _check_likelihood(settings)
    _check_prior(manifest, settings)
    front = tuple(_read_hypothesis(row, settings["features"], settings["constants"]) for row in rows)
    if chosen is not None and chosen not in rows:
        raise Damaged('the entry "best" is not in the entry "front"')
    return {
        "best": None if chosen is None else front[rows.index(chosen)],
        "front": front,
        "status": code,
        "message": message,
        "coverage": Coverage(*(_require_entry(coverage, f.name, float) for f in fields(Coverage))),
        "efficiency": Efficiency(*(_require_entry(efficiency, f.name, float) for f in fields(Efficiency))),
        "timing": dict(timing),
        "manifest": dict(manifest),
        "constants": tuple(tuple(_read_constant(c) for c in row["constants"]) for row in rows),
        # Results of older versions have no rules and no posterior.
        "rules": tuple(RuleRow.read(row) for row in content.get("rules", [])),
        "posterior": _read_posterior(content, settings),
    }


def _check_likelihood(settings: Mapping[str, Any]) -> None:
    """Raises Damaged unless the settings say which likelihood there was, or nothing."""
    from hypo.likelihood.registry import read_family

    errors = settings.get("x_sigma")
    if errors and isinstance(errors, Mapping):
        _require_all(errors.values(), float, "x_sigma")
        _require_entry(settings, "y_sigma", float)
    if settings.get("likelihood") is not None:
        try:
            read_family(_require_entry(settings, "likelihood", dict))
        except InputError as error:
            raise Damaged(f"its likelihood cannot be used: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged('the entry "likelihood" names none') from error


def _check_prior(manifest: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raises Damaged unless the prior and the ranges of the data can be read, where a result has them."""
    from hypo.scoring.prior import Prior

    if manifest.get("prior") is not None:
        content = _require_entry(manifest, "prior", dict)
        try:
            known = Prior.read(content)
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged('the entry "prior" has the wrong form') from error
        counts = (known.leaves, known.unary, known.binary, known.largest)
        if known.symbols < 2 or known.leaves <= 0 or not all(0 <= c < math.inf for c in counts):
            raise Damaged('the entry "prior" has counts that no grammar has')
        if any(math.isnan(length) for length in known.code_lengths.values()):
            raise Damaged('a member of the entry "code_lengths" is not a number')
    for ends in _require_entry({"ranges": {}, **settings}, "ranges", dict).values():
        if not isinstance(ends, list) or len(ends) != 2:
            raise Damaged('a member of the entry "ranges" is not a pair')
        _require_all(ends, float, "ranges")


def _read_posterior(content: Mapping[str, Any], settings: Mapping[str, Any]) -> Posterior | None:
    from hypo.posterior.posterior import Posterior, Structure

    rows, summary = content.get("posterior"), content.get("inclusion")
    if not rows or summary is None:
        return None
    structures = tuple(Structure.read(row, settings["features"], settings["constants"]) for row in rows)
    if not all(s.dof > 0 and s.sigma >= 0 for s in structures):
        raise Damaged('a member of the entry "posterior" has a "dof" or "sigma" below 0')
    if any(line[k] < 0 for s in structures for k, line in enumerate(s.covariance)):
        raise Damaged('a member of the entry "posterior" has a variance below 0')
    return Posterior(
        structures=structures,
        variables=dict(summary["variables"]),
        operators=dict(summary["operators"]),
        within=summary["within_odds"]["structures"],
        covers=_require_entry(summary, "covers", str),
        # Results of older versions have none of these.
        terms=dict(summary.get("terms", {})),
        chain=_read_chain(summary),
        unearned=_require_entry({"unearned": None, **summary}, "unearned", str, optional=True) or "",
    )


def _read_chain(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    chain = _require_entry({"chain": None, **summary}, "chain", dict, optional=True)
    if chain is None:
        return None
    _require_entry(chain, "verdict", str)
    for name in ("chains", "steps", "acceptance", "visited", "weighed", "between_chains", "to_weights"):
        _require_entry(chain, name, float)
    if not isinstance(chain.get("mixed"), bool):
        raise Damaged('the entry "mixed" is not true or false')
    if not all(v is None or isinstance(v, float | int) for v in _require_entry(chain, "rhat", dict).values()):
        raise Damaged('a member of the entry "rhat" is not a number')
    return dict(chain)


def _read_constant(c: Mapping[str, Any]) -> ConstantRow:
    # Results of older versions have no intervals.
    spread = (_require_entry({name: None, **c}, name, float, optional=True) for name in ("std", "lower", "upper"))
    return ConstantRow(
        _require_entry(c, "name", str),
        _require_entry(c, "value", float),
        _require_entry(c, "unit", str, optional=True),
        *spread,
    )


def _read_hypothesis(row: Mapping[str, Any], features: Sequence[str], named: Mapping[str, float]) -> Hypothesis:
    from dataclasses import replace

    from hypo.errors import FormulaError
    from hypo.expression.expr import Expression
    from hypo.expression.parser import parse
    from hypo.scoring.score import Hypothesis

    text = _require_entry(row, "expression", str)
    try:
        e = parse(text, variables=features, constants=named)
    except FormulaError as error:
        raise Damaged(f'the formula "{text}" cannot be read') from error
    if e.free:
        raise Damaged(f'the formula "{text}" holds an unknown name, {e.constants[e.free[0]].name}')
    _require_all(_require_entry(row, "constants", list), dict, "constants")
    fitted = {_read_constant(c).value for c in row["constants"]}
    constants = tuple(replace(c, free=c.name is None and c.value in fitted) for c in e.constants)
    figures = {name: _require_entry(row, name, float, optional=True) for name in FIGURES}
    return Hypothesis(
        expression=Expression(e.code, constants, e.variables),
        complexity=_require_entry(row, "complexity", float),
        origin=_require_entry(
            {"origin": Hypothesis.origin, **row}, "origin", str
        ),  # results of older versions have none
        **{name: math.nan if value is None else value for name, value in figures.items()},
    )


def damage_error(path: Path, error: Exception) -> InputError:
    """The file at ``path`` was once a result, but ``error`` came up."""
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
