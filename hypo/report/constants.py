"""The constants of a formula with names, values, intervals and units, as reports and ``result.json`` show them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hypo.expression.expr import PI, Expression
from hypo.units import DIMENSIONLESS, Dimension, Unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hypo.scoring.laplace import Laplace

LEVEL = 0.95  # probability that the interval of a constant holds it
SHARP = 1e-9  # a relative standard error below this is rounding, and is not shown
MOST_FACTORS = 3  # distinct user units that one composed unit may combine


@dataclass(frozen=True)
class ConstantRow:
    """One constant: its name, its value in the formula, and its unit (None when not known).

    ``std`` is its standard error and ``lower`` to ``upper`` its interval of 95 % (:mod:`hypo.scoring.laplace`), in the unit of
    the value; None for constants that were not fitted, where the data leave no degree of freedom, and at an end that is open
    (:mod:`hypo.search.profile`).
    """

    name: str
    value: float
    unit: str | None
    std: float | None = None
    lower: float | None = None
    upper: float | None = None

    def __repr__(self) -> str:
        value = value_text(self.value, self.std) or f"{self.value:.6g}"
        unit = "" if self.unit in (None, "1") else f" [{self.unit}]"
        ends = "" if self.lower is self.upper is None else f"; {_end(self.lower, '-')} to {_end(self.upper, '')}"
        return f"<ConstantRow {self.name} = {value}{unit}{ends}>"

    def as_dict(self) -> dict[str, Any]:
        """The entry of ``constants`` in ``result.json``."""
        return {name: getattr(self, name) for name in ("name", "value", "std", "lower", "upper", "unit")}


def _end(value: float | None, sign: str) -> str:
    """An end of an interval; one that is open is infinite."""
    return f"{sign}inf" if value is None else f"{value:.6g}"


def shown_constants(
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
    used = {*taken, *e.variables, *(c.name for c in e.constants if c.name)}
    rows: dict[str, ConstantRow] = {}
    number = 0
    for i, c in enumerate(e.constants):
        if c.is_literal or c == PI:
            continue
        name = c.name
        while name is None:
            number += 1
            if f"c{number}" not in used:
                name = f"c{number}"
        std, *interval = _spread(approximation, i)
        if ends is not None and i in ends:
            interval = [*ends[i]]
        rows.setdefault(name, ConstantRow(name, c.value, units[i] if units else None, std, *interval))
    return tuple(rows.values())


def undetermined(
    names: Sequence[str], covariance: NDArray[np.float64], groups: Sequence[Sequence[int]]
) -> list[str]:
    """A sentence for each of ``groups``: constants (i,) that the data do not determine, and several not apart."""
    from hypo.scoring.laplace import correlation

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


def value_text(value: float, std: float | None) -> str | None:
    """``value ± std`` with the digits that the standard error leaves: one of it, two where it begins with 1, as in
    ``0.9994 ± 0.0003``, ``-12.31 ± 0.12``, ``(6.674 ± 0.002)e-11``; None where the error is unknown or rounding."""
    if std is None or not SHARP * abs(value) < std < math.inf:
        return None
    power = math.floor(math.log10(max(abs(value), std)))
    scaled = power if not -4 <= power < 6 else 0
    shown, error = value / 10.0**scaled, std / 10.0**scaled
    first = f"{error:.1e}"
    digits = max(0, int(first.startswith("1")) - int(first[first.index("e") + 1 :]))
    text = f"{shown:.{digits}f} ± {error:.{digits}f}"
    return f"({text})e{scaled}" if scaled else text


def unit_text(dimension: Dimension, units: Sequence[Unit], in_si: bool) -> str | None:
    """The unit of a number of this dimension, in the system a problem's formulas are written in.

    In SI that is the dimension itself. Otherwise the users' own units are combined, so that with T in yr
    and a in AU a constant of T/a^1.5 has the unit ``yr/AU^1.5``; None when they do not span the dimension.
    """
    if dimension.is_dimensionless:
        return "1"
    if in_si or all(u.factor == 1.0 for u in units):
        return str(dimension)
    distinct = list({u.text: u for u in units if u.dimension != DIMENSIONLESS}.values())
    for size in range(1, min(MOST_FACTORS, len(distinct)) + 1):
        found = []
        for chosen in combinations(distinct, size):
            powers = _solve([u.dimension for u in chosen], dimension)
            if powers is not None and all(powers):
                found.append((sum(abs(p) for p in powers), [(u.text, p) for u, p in zip(chosen, powers, strict=True)]))
        if found:
            return _product(min(found, key=lambda f: f[0])[1])
    return None


def _solve(columns: Sequence[Dimension], wanted: Dimension) -> list[Fraction] | None:
    """Exponents p with Π columns[i]**p[i] = wanted, by exact elimination; None if there are none or many."""
    rows = [[c.exponents[k] for c in columns] + [wanted.exponents[k]] for k in range(len(wanted.exponents))]
    n = len(columns)
    for j in range(n):
        pivot = next((row for row in rows[j:] if row[j]), None)
        if pivot is None:
            return None
        rows.remove(pivot)
        rows.insert(j, pivot)
        for i, row in enumerate(rows):
            if i != j and row[j]:
                ratio = row[j] / pivot[j]
                rows[i] = [a - ratio * b for a, b in zip(row, pivot, strict=True)]
    if any(row[n] for row in rows[n:]):
        return None
    return [rows[j][n] / rows[j][j] for j in range(n)]


def _product(factors: Sequence[tuple[str, Fraction]]) -> str:
    above = [text if p == 1 and " " not in text else _power(text, p) for text, p in factors if p > 0]
    below = [_power(text, -p) for text, p in factors if p < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power(text: str, power: Fraction) -> str:
    base = text if text.isidentifier() else f"({text})"
    if power == 1:
        return base
    if power.denominator == 1:
        return f"{base}^{power}"
    value = float(power)
    return f"{base}^{value}" if Fraction(str(value)) == power and len(str(value)) <= 5 else f"{base}^({power})"
