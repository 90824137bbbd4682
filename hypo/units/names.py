"""The meaning of one name of a unit, such as ``"Mpc"``: pint's answer, with hypo's corrections."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

from hypo.errors import UnitError

BASE_UNITS = ("m", "kg", "s", "A", "K", "mol", "cd", "rad")
"""The order of the exponents of a :class:`Dimension`."""
ADVICE = 'write it like "kg*m/s^2" or "J/(mol*K)"'

_PINT_NAMES = {"℃": "degC", "℉": "degF", "%": "percent", "‰": "permille", "°": "degree", "º": "degree"}
# Names that pint knows, but as something else (Boltzmann's constant, picohenry) than their writer means.
_REFUSED = {"k": 'write "K" for kelvin', "pH": "it is on a logarithmic scale; leave it out"}
_PINT_BASE = ("meter", "kilogram", "second", "ampere", "kelvin", "mole", "candela", "radian")
# pint reads AU as an absorbance, G as a gauss of the Gaussian system, and pc with a tangent where IAU 2015
# Resolution B2 has 648000/π AU. Masses and radii are nominal (Resolution B3), masses with the CODATA 2018 G.
_DEFINITIONS = (
    "hypo_astronomical_unit = 149597870700 * meter = AU",
    "parsec = 3.0856775814913674e16 * meter = pc",
    "hypo_gauss = 1e-4 * tesla = G = gauss",
    "solar_mass = 1.988409870698051e30 * kilogram = M_sun = Msun",
    "solar_radius = 6.957e8 * meter = R_sun = Rsun",
    "solar_luminosity = 3.828e26 * watt = L_sun = Lsun",
    "earth_mass = 5.972167867791379e24 * kilogram = M_earth = Mearth",
    "earth_radius = 6.3781e6 * meter = R_earth = Rearth",
)
_COMMON = tuple(
    prefix + unit
    for unit in ("m", "g", "s", "A", "K", "mol", "cd", "rad", "N", "J", "W", "Pa", "V", "C", "Hz", "eV", "pc")
    for prefix in ("", "k", "m", "M", "c", "µ", "n", "G")
)


class OffsetError(UnitError):
    """The text is a unit, such as °C, from whose numbers no factor leads to SI."""


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(on_redefinition="ignore")
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


def is_known(name: str) -> bool:
    """True if the text is the name of a unit, prefixes included."""
    return bool(_registry().parse_unit_name(_PINT_NAMES.get(name, name)))


@lru_cache(maxsize=1024)
def look_up(name: str, text: str) -> tuple[tuple[Fraction, ...], float]:
    """The exponents and the factor to SI of one name in the unit ``text``."""
    where = f'"{name}"' if name == text else f'"{name}" in "{text}"'
    if name in _REFUSED:
        raise UnitError(f"the unit {where} is not accepted; {_REFUSED[name]}")
    if not is_known(name):
        guess = _nearest(name)
        advice = f'did you mean "{guess}"?' if guess else ADVICE
        raise UnitError(f"unknown unit {where}; {advice}")
    import pint

    registry = _registry()
    try:
        size, base = registry.get_base_units(_PINT_NAMES.get(name, name))
        zero = registry.Quantity(0.0, _PINT_NAMES.get(name, name)).to_base_units().magnitude
    except pint.PintError:
        zero, base = math.nan, None  # an offset unit with a prefix
    if zero != 0 and "kelvin" in str(base if base is not None else "kelvin"):
        raise OffsetError(
            f"the unit {where} has an offset, so no factor leads to SI; use kelvin (K) and convert the numbers, or delta_degC "
            "for differences" + ("; without a unit the numbers are fitted as they are" if name == text else "")
        )
    if zero != 0:
        raise UnitError(f"the unit {where} is on a logarithmic scale; convert the numbers to a linear unit")
    exponents = [Fraction(0)] * len(BASE_UNITS)
    for part, power in dict(base._units).items():
        if part in _PINT_BASE:
            exponents[_PINT_BASE.index(part)] += Fraction(power).limit_denominator(1000)
        elif registry.get_dimensionality(part):
            raise UnitError(f"the unit {where} cannot be expressed in {', '.join(BASE_UNITS)}; leave it out")
    return tuple(exponents), shorten(float(size))


def _nearest(name: str) -> str | None:
    import difflib

    names: list[str] = [*_COMMON, *(n for n in _registry() if n not in _REFUSED)]
    same_letters = sorted((n for n in names if n.casefold() == name.casefold()), key=str.isupper)
    near = same_letters or difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return near[0] if near else None


def shorten(factor: float) -> float:
    """1e-6 for 1.0000000000000002e-06: the decimal number meant, where products of floats missed it."""
    short = float(f"{factor:.12g}")
    return short if math.isclose(short, factor, rel_tol=2e-15) else factor
