"""Units of constants as a person writes them: in the units of the columns, else with the names that SI has for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

from hypo.units import BASE_UNITS, DIMENSIONLESS, Dimension, parse_unit

if TYPE_CHECKING:
    from hypo.expression.edits.conversion import Powers
    from hypo.search.table_units import UnitNames

# Units of SI with names of their own, those first that are preferred; beside some a second may stand.
NAMED = ("N", "J", "W", "Pa", "V", "ohm", "T", "Wb", "H", "F", "S")
WITH_SECONDS = ("J", "Pa")
POWERS = (Fraction(1), Fraction(-1), Fraction(2), Fraction(-2), Fraction(1, 2), Fraction(-1, 2))


def write_unit(unit: Powers | None, dimension: Dimension | None, names: UnitNames) -> str | None:
    """The text of ``unit`` for a number of this dimension: ``MPa/%``, ``J/mol``; None where they disagree or none is known."""
    if unit is None or dimension is None or names.dimension(unit) != dimension:
        return None
    factor = names.factor(unit)
    plain = math.isclose(factor, 1.0, rel_tol=1e-12)
    if dimension == DIMENSIONLESS and plain:
        return "1"
    if plain and not any(
        e for name, e in zip(BASE_UNITS, dimension.exponents, strict=True) if name not in ("m", "s", "rad")
    ):
        return write_powers(_base(dimension))  # m/s^2 rather than N/kg
    if plain and any(name in NAMED for name in unit) and all(p > 0 and p.denominator == 1 for p in unit.values()):
        return write_powers(unit)  # N*m^2 of columns in N and m rather than J*m
    if plain:
        named = _in_names(dimension, _cost(unit))
        return write_powers(min((unit, _base(dimension)) if named is None else (named,), key=_roots))
    return write_powers(unit)


def write_si_unit(dimension: Dimension) -> str:
    """The unit in SI: ``Pa``, ``J/K/mol``, ``kg/m^3``."""
    base = _base(dimension)
    return write_powers(_in_names(dimension, _cost(base)) or base)


def _base(dimension: Dimension) -> Powers:
    """In base units, kilograms first."""
    base = {name: e for name, e in zip(BASE_UNITS, dimension.exponents, strict=True) if e}
    return {name: base[name] for name in sorted(base, key=lambda name: (name != "kg", BASE_UNITS.index(name)))}


def _in_names(dimension: Dimension, cost: Fraction) -> Powers | None:
    """With one of the names of SI, where that is shorter than a text of this cost."""
    best: Powers | None = None
    for power, name in product(POWERS, NAMED):
        left = dimension / parse_unit(name).dimension ** power
        rest = {b: e for b, e in zip(BASE_UNITS, left.exponents, strict=True) if e}
        heat = name == "J" and rest.get("kg") == -1 and ("K" in rest or "mol" in rest)
        if ("kg" in rest and not heat) or ("s" in rest and (name not in WITH_SECONDS or rest["s"] != power)):
            continue
        if abs(power) != 1 and set(rest) - {"m"}:
            continue
        powers = {name: power, **rest}
        if _cost(powers) < min(cost, cost if best is None else _cost(best)) and (dimension.exponents[1] or heat):
            best = powers
    return best


def _cost(powers: Powers) -> Fraction:
    return sum((abs(p) for p in powers.values()), Fraction(0))


def _roots(powers: Powers) -> int:
    """How many names have a power that is no whole number."""
    return sum(p.denominator != 1 for p in powers.values())


def write_powers(powers: Mapping[str, Fraction]) -> str:
    """``kg*m/s^2``; ``1`` for a pure number."""
    above = [_power(name, p) for name, p in powers.items() if p > 0]
    below = [_power(name, -p) for name, p in powers.items() if p < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power(name: str, power: Fraction) -> str:
    base = f"({name})" if any(c in name for c in " */^·") else name
    if power == 1:
        return base
    if power.denominator == 1:
        return f"{base}^{power}"
    value = float(power)
    return f"{base}^{value}" if Fraction(str(value)) == power and len(str(value)) <= 5 else f"{base}^({power})"
