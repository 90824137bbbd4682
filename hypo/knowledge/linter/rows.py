"""Finds rows of the data that break the rules themselves, and rules that no row can test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hypo.errors import KnowledgeError
from hypo.knowledge.rows.breach import RowBreach
from hypo.knowledge.rows.table_rows import TableRows
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.text.findings import Findings

if TYPE_CHECKING:
    from hypo.data import Dataset


def check_rows(
    rules: tuple[Rule, ...], ranges: Mapping[str, tuple[float, float]], dataset: Dataset, out: Findings
) -> None:
    """Remarks on [ranges] and [[rule]] from the rows."""
    table = TableRows(dataset)
    with np.errstate(all="ignore"):  # numbers beyond all floats fail every comparison, as they should
        _check_ranges(ranges, table, out)
        for i, rule in enumerate(rules):
            if rule.names() <= table.columns.keys():
                _check_rule(i, rule, {**ranges, **rule.where}, table, out)


def _check_ranges(ranges: Mapping[str, tuple[float, float]], table: TableRows, out: Findings) -> None:
    for name, (low, high) in ranges.items():
        if name in table.columns:
            column = table.dataset.X[:, table.columns[name]]
            outside = np.flatnonzero((column < low) | (column > high))
            if len(outside):
                out.note(
                    ("ranges", name),
                    f"the data reach from {column.min():g} to {column.max():g}, {len(outside)} of "
                    f"{len(column)} rows outside this range",
                )


def _check_rule(i: int, rule: Rule, where: Mapping[str, tuple[float, float]], table: TableRows, out: Findings) -> None:
    path = ("rule", i)
    rows = table.select(where)
    if not rows.any():
        place = _describe_domain(where, table)
        out.warning(path, f"no row of the data lies in its domain ({place}), so no row can test this rule")
        return
    try:
        found = rule.check_rows(table, rows)
    except KnowledgeError as error:  # of a kind that is not ours
        out.warning(path, str(error))
        return
    if isinstance(found, str):
        out.note(path, f"{found}, so no row can test this rule")
    elif found is not None:
        out.warning(path, _describe_breach(found, rule, table.dataset))


def _describe_breach(found: RowBreach, rule: Rule, dataset: Dataset) -> str:
    where = dataset.rows_in_words(list(found.rows))
    n = len(found.rows)
    words = rule.describe(dataset.target)
    place = dataset.rows_in_words([int(found.rows[0])]) if n > 1 else "there"
    if found.around:
        return (
            f"the rows around {where} break this rule ({words}), {n} of {found.looked_at} places looked at; around "
            f"{place} {found.example}"
            if n > 1
            else f"the rows around {where} break this rule ({words}): {found.example}"
        )
    what = f"{n} rows of {found.looked_at} break" if n > 1 else f"1 row of {found.looked_at} breaks"
    return f"{what} this rule ({words}): {where}; {'in ' if n > 1 else ''}{place} {found.example}"


def _describe_domain(where: Mapping[str, tuple[float, float]], table: TableRows) -> str:
    parts = []
    for name, (low, high) in where.items():
        if name in table.columns:
            column = table.dataset.X[:, table.columns[name]]
            if not table.select({name: (low, high)}).any():
                parts.append(f"{name} from {low:g} to {high:g}, but the data have {column.min():g} to {column.max():g}")
    return "; ".join(parts) or ", ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in where.items())
