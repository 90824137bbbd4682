"""A whole result in other units: in SI for who asks, and in those of the columns where an older version wrote it in SI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypo.errors import InputError, UnitError
from hypo.report.constants import ConstantRow, shown_leaves
from hypo.report.units import si_text, unit_text
from hypo.search.table_units import Border, UnitNames
from hypo.units import Dimension, parse_unit

if TYPE_CHECKING:
    from hypo.expression.expr import Expression
    from hypo.result.result import Result

# Formulas and constants in the units of the table's columns.
COLUMNS = "columns"
# Formulas and constants in SI units.
SI = "si"
SI_NOTE = "formulas and constants are in SI units, whatever the units of the columns"


def convert_result(result: Result, units: str) -> Result:
    """``result`` as it is for ``"columns"``; for ``"si"`` with formulas, constants and posterior for numbers in SI.

    What takes or gives rows of a table then wants them in SI too. Raises InputError for other ``units``.
    """
    if not wants_si(units):
        return result
    texts, named = _unit_texts(result), _named_constants(result)
    values = {n: v * parse_unit(texts[n]).factor for n, v in named.items()}
    border = _border(result, texts, named).back(values)
    rows = tuple(convert_rows(each, units) for each in result.constants)
    old = result.settings

    def factor(name: str) -> float:
        return parse_unit(texts.get(name, "1")).factor

    settings = {
        **old,
        "units": {n: si_text(_dimension(result, text)) for n, text in old["units"].items()},
        "constants": values,
        "ranges": {n: [v * factor(n) for v in ends] for n, ends in old.get("ranges", {}).items()},
        "unit_note": SI_NOTE,
    }
    if isinstance(old.get("x_sigma"), Mapping):
        settings["x_sigma"] = {n: v * factor(n) for n, v in old["x_sigma"].items()}
        settings["y_sigma"] = None if old.get("y_sigma") is None else old["y_sigma"] * factor(result.target)
    return _cross_border(result, border, rows, settings)


def convert_from_si(result: Result) -> Result:
    """A result that an older version wrote in SI, in the units of the columns."""
    settings, named = result.settings, _named_constants(result)
    border = _border(result, _unit_texts(result), named)
    rows = tuple(
        _in_columns(h.expression, each, result, border) for h, each in zip(result.front, result.constants, strict=True)
    )
    changed = {"scales": dict.fromkeys(settings["scales"], 1.0), "constants": named, "unit_note": ""}
    return _cross_border(result, border, rows, {**settings, **changed})


def _cross_border(
    result: Result, border: Border, rows: tuple[tuple[ConstantRow, ...], ...], settings: Mapping[str, Any]
) -> Result:
    """Formulas and posterior beyond the border; ``rows`` are the constants there."""
    manifest = {**result.manifest, "settings": dict(settings)}
    posterior = border.posterior(result.posterior)
    if "prior" in manifest and posterior is not None and result.posterior is not None:
        manifest["prior"] = border.lengths(manifest["prior"], result.posterior.structures, posterior.structures)
    front = tuple(border.hypothesis(h) for h in result.front)
    best = None if result.best is None else front[result.front.index(result.best)]
    return replace(result, best=best, front=front, constants=rows, posterior=posterior, manifest=manifest, data=None)


def wants_si(units: str) -> bool:
    """True where ``units`` are SI and not those of the columns; raises InputError for other ones."""
    if units not in (COLUMNS, SI):
        raise InputError(f'units must be "columns" (those of the table) or "si", got {units!r}')
    return units == SI


def convert_rows(rows: Sequence[ConstantRow], units: str) -> tuple[ConstantRow, ...]:
    """Constants in ``units``."""
    return tuple(map(_in_si, rows)) if wants_si(units) else tuple(rows)


def _in_si(row: ConstantRow) -> ConstantRow:
    if row.unit is None:
        return row
    unit = parse_unit(row.unit, strict_angles=True)
    return row.scaled(unit.factor, si_text(unit.dimension))


def _in_columns(
    e: Expression, rows: tuple[ConstantRow, ...], result: Result, border: Border
) -> tuple[ConstantRow, ...]:
    """The constants ``rows`` of a formula in SI in the units of the columns."""
    found, named = border.convert(e), _named_constants(result)
    leaves = [i for _, i in shown_leaves(e)]
    if len(leaves) != len(rows):
        return rows
    names = UnitNames.of(_unit_texts(result), _strict(result))
    out = []
    for row, i in zip(rows, leaves, strict=True):
        if e.constants[i].name in named:
            text = _unit_texts(result)[str(e.constants[i].name)]
            out.append(replace(row, value=named[str(e.constants[i].name)], unit=text))
        else:
            known = None if row.unit is None else _dimension(result, row.unit)
            out.append(row.scaled(found.factor[i], unit_text(found.units[i], known, names)))
    return tuple(out)


def _border(result: Result, texts: Mapping[str, str], values: Mapping[str, float]) -> Border:
    return Border.between(texts, result.target, values, True, result.family.is_scale_in_target_unit, _strict(result))


def _knowledge(result: Result) -> Mapping[str, Any]:
    known: Mapping[str, Any] = result.settings.get("knowledge") or {}
    return known


def _unit_texts(result: Result) -> dict[str, str]:
    """Unit texts of columns, target and named constants."""
    stated = _knowledge(result).get("constants", {})
    return {
        **result.settings["units"],
        **{n: stated[n]["unit"] if n in stated else "1" for n in result.settings["constants"]},
    }


def _named_constants(result: Result) -> dict[str, float]:
    """The named constants in the units they were stated in."""
    stated = _knowledge(result).get("constants", {})
    return {n: float(stated[n]["value"]) if n in stated else v for n, v in result.settings["constants"].items()}


def _strict(result: Result) -> bool:
    return bool(_knowledge(result).get("units", {}).get("strict_angles", False))


def _dimension(result: Result, text: str) -> Dimension:
    try:
        return parse_unit(text, _strict(result)).dimension
    except UnitError as error:
        raise InputError(f"the result has a unit that cannot be read: {error}") from error
