"""The constants of a formula with names, values, intervals and units, as reports and ``result.json`` show them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypo.expression.expr import PI, Expression
from hypo.report.formatting import format_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hypo.posterior.laplace import Laplace

# Probability that the interval of a constant holds it.
LEVEL = 0.95


@dataclass(frozen=True)
class ConstantRow:
    """One constant: its name, its value in the formula, and its unit (None when not known).

    ``std`` is its standard error and ``lower`` to ``upper`` its interval of 95 % (:mod:`hypo.posterior.laplace`), in
    the unit of the value; None for constants that were not fitted, where the data leave no degree of freedom, and at an
    end that is open (:mod:`hypo.fitting.profile`).
    """

    name: str
    value: float
    unit: str | None
    std: float | None = None
    lower: float | None = None
    upper: float | None = None

    def __repr__(self) -> str:
        value = format_value(self.value, self.std) or f"{self.value:.6g}"
        unit = "" if self.unit in (None, "1") else f" [{self.unit}]"
        ends = "" if self.lower is self.upper is None else f"; {_end(self.lower, '-')} to {_end(self.upper, '')}"
        return f"<ConstantRow {self.name} = {value}{unit}{ends}>"

    def scaled(self, factor: float, unit: str | None) -> ConstantRow:
        """The same number in another unit, ``factor`` times as large a number."""
        ends = (None if v is None else factor * v for v in (self.std, self.lower, self.upper))
        return ConstantRow(self.name, factor * self.value, unit, *ends)

    def as_dict(self) -> dict[str, Any]:
        """The entry of ``constants`` in ``result.json``."""
        return {name: getattr(self, name) for name in ("name", "value", "std", "lower", "upper", "unit")}


def _end(value: float | None, sign: str) -> str:
    """An end of an interval; one that is open is infinite."""
    return f"{sign}inf" if value is None else f"{value:.6g}"


def list_constants(
    e: Expression,
    units: Sequence[str | None] | None = None,
    taken: Collection[str] = (),
    approximation: Laplace | None = None,
    ends: Mapping[int, tuple[float | None, float | None]] | None = None,
) -> tuple[ConstantRow, ...]:
    """The fitted and the named constants of ``e`` in order of appearance, each name once; exact literals
    are left out.

    ``units`` holds one text per constant of ``e``; ``approximation`` gives the fitted ones their intervals, or
    ``ends``, by leaf, where it has them.
    Fitted constants without a name are numbered ``c1``, ``c2``, …, past the names in ``taken`` and those of the formula.
    """
    rows = []
    for name, i in list_leaves(e, taken):
        std, *interval = _spread(approximation, i)
        if ends is not None and i in ends:
            interval = [*ends[i]]
        rows.append(ConstantRow(name, e.constants[i].value, units[i] if units else None, std, *interval))
    return tuple(rows)


def list_leaves(e: Expression, taken: Collection[str] = ()) -> tuple[tuple[str, int], ...]:
    """The names of :func:`list_constants`, each with the place of the first constant of ``e`` that it stands for."""
    used = {*taken, *e.variables, *(c.name for c in e.constants if c.name)}
    found: dict[str, int] = {}
    number = 0
    for i, c in enumerate(e.constants):
        if c.is_literal or c == PI:
            continue
        name = c.name
        while name is None:
            number += 1
            if f"c{number}" not in used:
                name = f"c{number}"
        found.setdefault(name, i)
    return tuple(found.items())


def name_constants(e: Expression, rows: Sequence[ConstantRow]) -> Expression:
    """``e`` with the names of ``rows``, which are its own, on its fitted constants: equal ones of one name are one constant."""
    left = [row for row in rows if row.name not in {c.name for c in e.constants}]
    seen: dict[float, str] = {}
    out = list(e.constants)
    for i in e.free:
        value = e.constants[i].value
        if left and left[0].value == value:
            seen[value] = left.pop(0).name
        out[i] = replace(e.constants[i], name=seen.get(value))
    return replace(e, constants=tuple(out))


def describe_undetermined(
    names: Sequence[str], covariance: NDArray[np.float64], groups: Sequence[Sequence[int]]
) -> list[str]:
    """A sentence for each of ``groups``: constants (i,) that the data do not determine, and several not apart."""
    from hypo.posterior.laplace import correlation

    if not groups:
        return []
    r, out = correlation(covariance), []
    for group in groups:
        if len(group) == 1:
            out.append(f"The data hardly determine {names[group[0]]}.")
        elif len(group) > 2:
            *first, last = (names[i] for i in group)
            out.append(f"The data determine {', '.join(first)} and {last} only together.")
        else:
            i, j = group
            out.append(
                f"The data determine {names[i]} and {names[j]} together and hardly apart (correlation {r[i, j]:.5g})."
            )
    return out


def _spread(approximation: Laplace | None, leaf: int) -> tuple[float | None, float | None, float | None]:
    """Standard error and interval of the constant at a leaf, None where there are none."""
    if approximation is None or (p := int(approximation.slot[leaf])) < 0:
        return None, None, None
    lower, upper = approximation.interval(LEVEL)
    found = float(approximation.std[p]), float(lower[p]), float(upper[p])
    return found if all(map(math.isfinite, found)) else (None, None, None)
