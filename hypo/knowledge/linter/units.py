"""Looks over the units of a knowledge file against a table: names, headers and dimensional analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from hypo.errors import UnitError
from hypo.knowledge.file.column_names import never_changes
from hypo.knowledge.file.contents import FileContent
from hypo.knowledge.file.units import describe_unit_conflict, is_same_unit
from hypo.knowledge.text.findings import Findings
from hypo.knowledge.text.wording import nearest
from hypo.units import BASE_UNITS, DIMENSIONLESS, Dimension, Unit, parse_unit

if TYPE_CHECKING:
    from hypo.data import Dataset


def check_units(fields: FileContent, dataset: Dataset, out: Findings) -> dict[str, Unit]:
    """Compares names and units with the table's; returns all units known, those of the header filled in."""
    names = (*dataset.names, dataset.target)
    for name in fields.units:
        if name in dataset.constant:
            out.note(("units", name), never_changes(name, dataset.constant))
        elif name not in names:
            out.warning(("units", name), f"the table has no such column; {_advice(name, names, dataset)}")
    for name in fields.constants:
        if name in names:
            out.add("error", ("constants", name), "the table has a column of this name; rename one of them")
    units = dict(fields.units)
    for name, text in dataset.units_beside(fields.units).items():
        try:
            header = parse_unit(text, strict_angles=fields.strict_angles)
        except UnitError as error:
            out.add("error", ("units", name), f"the unit in the table's header cannot be used: {error}")
            continue
        if name in units and not is_same_unit(units[name], header):
            out.add("error", ("units", name), describe_unit_conflict(units[name], header))
        units.setdefault(name, header)
    unread = {path[1] for path in out.list_spoiled("units") if len(path) > 1}
    if units:
        for name in names:
            if name not in units and name not in unread:
                role, counts = ("target", "may have any") if name == dataset.target else ("column", _PURE)
                out.note(("units",), f"the {role} {name} has no unit and {counts}")
    return units


_PURE = 'counts as a pure number; give its unit, or "1"'


def _advice(name: str, names: Sequence[str], dataset: Dataset) -> str:
    if name in dataset.labels:
        return f"formulas call it {dataset.names[dataset.labels.index(name)]}"
    near = nearest(name, names)
    return f"did you mean {near}?" if near else "its columns are " + ", ".join(names[:20])


def check_dimensions(fields: FileContent, units: Mapping[str, Unit], dataset: Dataset, out: Findings) -> None:
    """Dimensional analysis; a column without a unit counts as a pure number, a target without one may have any."""
    if dataset.target not in units:
        return
    given = {name: units[name].dimension if name in units else DIMENSIONLESS for name in dataset.names}
    given |= {name: c.unit.dimension for name, c in fields.constants.items() if name not in given}
    goal = units[dataset.target].dimension
    found = analyse(given, goal)
    where = ("units", dataset.target)
    sources = ", ".join(f"{name} [{d}]" for name, d in given.items())
    if found.missing is not None:
        absent = [
            u
            for u, a in zip(BASE_UNITS, goal.exponents, strict=True)
            if a and not any(d.exponents[BASE_UNITS.index(u)] for d in given.values())
        ]
        beside = "" if found.product == "1" else f"beside {found.product} "
        why = (
            f"nothing else carries {' or '.join(absent)}"
            if absent
            else (f"{beside}a factor in {found.missing} is missing")
        )
        out.warning(
            where,
            f"the target's unit {goal} is no product of powers of {sources}: {why}; it takes "
            f"a constant with a unit such as {found.missing}, in [constants] or fitted",
        )
    elif goal.is_dimensionless and len(found.useless) == len(given):
        out.warning(
            where,
            f"the target is dimensionless and no product of powers of {sources} is; only "
            "constants with units can join them",
        )
        return
    for name in found.useless:
        if name in dataset.names and found.missing is None:
            out.note(
                ("units", name),
                f"the other units cannot cancel {given[name]}, so {name} can enter "
                "only together with a constant that has a unit",
            )


@dataclass(frozen=True)
class Analysis:
    """Which products of powers of given quantities have a wanted dimension.

    ``missing`` is None when one has it, else the dimension that ``product``, a product of powers, falls
    short by. ``useless`` names the quantities whose power is 0 in every such product and in every
    dimensionless one.
    """

    product: str
    missing: Dimension | None
    useless: tuple[str, ...]


def analyse(given: Mapping[str, Dimension], goal: Dimension) -> Analysis:
    """Solves Σ_i p_i·dim_i = ``goal`` for rational powers p, exactly, by Gauss-Jordan elimination."""
    names = list(given)
    n = len(names)
    # Base units foreign to the goal first, so that what is missing is told in the goal's own if possible.
    order = sorted(range(len(BASE_UNITS)), key=lambda k: goal.exponents[k] != 0)
    rows = [[*(given[name].exponents[k] for name in names), goal.exponents[k]] for k in order]
    pivots: list[tuple[int, int]] = []
    for r in range(len(rows)):
        column = next((c for c in range(n) if rows[r][c]), None)
        if column is None:
            continue
        rows[r] = [x / rows[r][column] for x in rows[r]]
        for other in range(len(rows)):
            if other != r and rows[other][column]:
                rows[other] = [x - rows[other][column] * y for x, y in zip(rows[other], rows[r], strict=True)]
        pivots.append((r, column))
    powers = [Fraction(0)] * n
    for r, column in pivots:
        powers[column] = rows[r][n]
    solved = {column for _, column in pivots}
    # A free column makes a dimensionless product with the pivots that have an entry in it.
    useful = {c for c in range(n) if powers[c] or c not in solved}
    useful |= {column for r, column in pivots if any(rows[r][c] for c in range(n) if c not in solved)}
    missing = goal
    for name, power in zip(names, powers, strict=True):
        missing = missing / given[name] ** power
    return Analysis(
        _product(names, powers),
        None if missing.is_dimensionless else missing,
        tuple(name for i, name in enumerate(names) if i not in useful),
    )


def _product(names: Sequence[str], powers: Sequence[Fraction]) -> str:
    parts = list(_factors(names, powers, 1))
    below = list(_factors(names, powers, -1))
    return "/".join(["*".join(parts) or "1", *below])


def _factors(names: Sequence[str], powers: Sequence[Fraction], sign: int) -> Iterator[str]:
    for name, power in zip(names, powers, strict=True):
        p = power * sign
        if p > 0:
            yield name if p == 1 else f"{name}^{p}" if p.denominator == 1 else f"{name}^({p})"
