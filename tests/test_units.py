"""Unit texts against known numbers, exact dimension arithmetic, and the choice of a coherent system."""

import copy
import math
import subprocess
import sys
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypo.errors import HypoError, InputError, UnitError
from hypo.units import BASE_UNITS, DIMENSIONLESS, Dimension, Unit, coherent_scales, parse_unit

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
fractions = st.builds(Fraction, st.integers(-12, 12), st.integers(1, 6))
dimensions = st.builds(Dimension, st.lists(fractions, max_size=8))


def dim(**exponents: Fraction | int) -> Dimension:
    return Dimension([exponents.get(name, 0) for name in BASE_UNITS])


# text, dimension, factor to SI by the exact definitions (SI brochure, IAU 2012 and 2015, CODATA)
KNOWN = [
    ("", DIMENSIONLESS, 1.0),
    ("1", DIMENSIONLESS, 1.0),
    (" - ", DIMENSIONLESS, 1.0),
    ("%", DIMENSIONLESS, 0.01),
    ("ppm", DIMENSIONLESS, 1e-6),
    ("rad", DIMENSIONLESS, 1.0),
    ("deg", DIMENSIONLESS, math.pi / 180),
    ("°", DIMENSIONLESS, math.pi / 180),
    ("m", dim(m=1), 1.0),
    ("km", dim(m=1), 1000.0),
    ("cm", dim(m=1), 0.01),
    ("µm", dim(m=1), 1e-6),
    ("Å", dim(m=1), 1e-10),
    ("ft", dim(m=1), 0.3048),
    ("AU", dim(m=1), 149_597_870_700.0),
    ("au", dim(m=1), 149_597_870_700.0),
    ("ly", dim(m=1), 9_460_730_472_580_800.0),
    ("Mpc", dim(m=1), 648_000 / math.pi * 149_597_870_700e6),
    ("g", dim(kg=1), 0.001),
    ("t", dim(kg=1), 1000.0),
    ("M_sun", dim(kg=1), 1.3271244e20 / 6.67430e-11),
    ("min", dim(s=1), 60.0),
    ("h", dim(s=1), 3600.0),
    ("day", dim(s=1), 86400.0),
    ("yr", dim(s=1), 31_557_600.0),
    ("L", dim(m=3), 0.001),
    ("cm^3", dim(m=3), 1e-6),
    ("m**2", dim(m=2), 1.0),
    ("m²", dim(m=2), 1.0),
    ("m2", dim(m=2), 1.0),
    ("km/h", dim(m=1, s=-1), 1000 / 3600),
    ("km/s/Mpc", dim(s=-1), 1e3 / (648_000 / math.pi * 149_597_870_700e6)),
    ("m s-2", dim(m=1, s=-2), 1.0),
    ("W m⁻² K⁻⁴", dim(kg=1, s=-3, K=-4), 1.0),
    ("kg*m/s^2", dim(kg=1, m=1, s=-2), 1.0),
    ("N", dim(kg=1, m=1, s=-2), 1.0),
    ("J/mol/K", dim(kg=1, m=2, s=-2, mol=-1, K=-1), 1.0),
    ("J/(mol K)", dim(kg=1, m=2, s=-2, mol=-1, K=-1), 1.0),
    ("eV", dim(kg=1, m=2, s=-2), 1.602176634e-19),
    ("kcal", dim(kg=1, m=2, s=-2), 4184.0),
    ("erg", dim(kg=1, m=2, s=-2), 1e-7),
    ("atm", dim(kg=1, m=-1, s=-2), 101325.0),
    ("mbar", dim(kg=1, m=-1, s=-2), 100.0),
    ("G", dim(kg=1, s=-2, A=-1), 1e-4),
    ("V", dim(kg=1, m=2, s=-3, A=-1), 1.0),
    ("mol/L", dim(mol=1, m=-3), 1000.0),
    ("lm", dim(cd=1), 1.0),
    ("delta_degC", dim(K=1), 1.0),
    ("m^0.5/s", dim(m=HALF, s=-1), 1.0),
    ("cm^(1/2)", dim(m=HALF), 0.1),
    ("(kg m)^(-1/3)", dim(kg=-THIRD, m=-THIRD), 1.0),
    ("10^3 kg", dim(kg=1), 1000.0),
    ("60 s", dim(s=1), 60.0),
    ("1/s", dim(s=-1), 1.0),
    ("1e-3 m", dim(m=1), 0.001),
]


@pytest.mark.parametrize(("text", "dimension", "factor"), KNOWN, ids=[row[0] for row in KNOWN])
def test_known_units(text: str, dimension: Dimension, factor: float) -> None:
    unit = parse_unit(text)
    assert unit.dimension == dimension
    assert unit.factor == pytest.approx(factor, rel=4e-16, abs=0)
    assert unit.text == text.strip()


def test_factors_carry_no_rounding_dust() -> None:
    for text, factor in [("cm^3", 1e-6), ("L", 1e-3), ("mol/L", 1000.0), ("erg", 1e-7), ("g/cm^3", 1000.0)]:
        assert parse_unit(text).factor == factor


def test_strict_angles_keep_rad() -> None:
    assert parse_unit("deg", strict_angles=True) == Unit(dim(rad=1), math.pi / 180, "deg")
    assert parse_unit("rad/s", strict_angles=True).dimension == dim(rad=1, s=-1)
    assert parse_unit("sr", strict_angles=True).dimension == dim(rad=2)
    assert parse_unit("Hz", strict_angles=True).dimension == dim(s=-1)
    assert parse_unit("rad/s").dimension == dim(s=-1)


OFFSET = (
    "has an offset, so no factor leads to SI; use kelvin (K) and convert the numbers, or delta_degC for differences"
)
AS_THEY_ARE = "; without a unit the numbers are fitted as they are"
ADVICE = 'write it like "kg*m/s^2" or "J/(mol*K)"'
BAD = [
    ("degC", f'the unit "degC" {OFFSET}{AS_THEY_ARE}'),
    ("degF", f'the unit "degF" {OFFSET}{AS_THEY_ARE}'),
    ("°C", f'the unit "°C" {OFFSET}{AS_THEY_ARE}'),
    ("W/degC", f'the unit "degC" in "W/degC" {OFFSET}'),
    ("mdegC", f'the unit "mdegC" {OFFSET}{AS_THEY_ARE}'),
    ("dB", 'the unit "dB" is on a logarithmic scale; convert the numbers to a linear unit'),
    ("pH", 'the unit "pH" is not accepted; it is on a logarithmic scale; leave it out'),
    ("k", 'the unit "k" is not accepted; write "K" for kelvin'),
    ("pixel", 'the unit "pixel" cannot be expressed in m, kg, s, A, K, mol, cd, rad; leave it out'),
    ("Kg", 'unknown unit "Kg"; did you mean "kg"?'),
    ("metr/s", 'unknown unit "metr" in "metr/s"; did you mean "metre"?'),
    ("kelvn", 'unknown unit "kelvn"; did you mean "kelvin"?'),
    ("qqzzy", f'unknown unit "qqzzy"; {ADVICE}'),
    ("__class__", f'unknown unit "__class__"; {ADVICE}'),
    ("m/", f'cannot read the unit "m/": it ends too early; {ADVICE}'),
    ("m^", f'cannot read the unit "m^": an exponent must be a number; {ADVICE}'),
    ("m^x", f'cannot read the unit "m^x": an exponent must be a number; {ADVICE}'),
    ("m^(1/0)", f'cannot read the unit "m^(1/0)": an exponent divides by zero; {ADVICE}'),
    ("m^1e99999999", f'cannot read the unit "m^1e99999999": an exponent is outside ±100; {ADVICE}'),
    ("1e300^99", f'cannot read the unit "1e300^99": its factor to SI is too large; {ADVICE}'),
    ("0 m", f'cannot read the unit "0 m": a factor must be a positive number; {ADVICE}'),
    ("m$", f'cannot read the unit "m$": the character "$" is not expected; {ADVICE}'),
    ("(m", f'cannot read the unit "(m": a closing bracket is missing; {ADVICE}'),
    ("m)", f'cannot read the unit "m)": ")" is not expected there; {ADVICE}'),
    ("m 2", f'cannot read the unit "m 2": "2" is not expected there; {ADVICE}'),
    ("*", f'cannot read the unit "*": "*" is not expected there; {ADVICE}'),
    (
        "J/mol K",
        'cannot read the unit "J/mol K": after a division it is unclear what a blank means, '
        f"so use brackets or *; {ADVICE}",
    ),
    ("m" * 201, "a unit of 201 characters is too long; expected at most 200"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[row[0][:20] for row in BAD])
def test_bad_units_say_what_to_do(text: str, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_unit(text)
    assert str(caught.value) == message
    assert isinstance(caught.value, InputError | ValueError) and isinstance(caught.value, HypoError)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        unit = parse_unit(text)
    except UnitError:
        return
    assert unit.factor > 0 and math.isfinite(unit.factor)


@pytest.mark.parametrize(
    ("dimension", "text"),
    [
        (DIMENSIONLESS, "1"),
        (dim(kg=1, m=1, s=-2), "kg*m/s^2"),
        (dim(s=-1), "1/s"),
        (dim(m=HALF), "m^(1/2)"),
        (dim(kg=1, m=2, s=-2, K=-1, mol=-1), "kg*m^2/s^2/K/mol"),
        (dim(A=-THIRD, rad=1), "rad/A^(1/3)"),
    ],
)
def test_dimension_text(dimension: Dimension, text: str) -> None:
    assert str(dimension) == text


@given(dimensions)
def test_dimension_text_round_trip(dimension: Dimension) -> None:
    unit = parse_unit(str(dimension), strict_angles=True)
    assert unit.dimension == dimension
    assert unit.factor == 1.0


@given(dimensions, dimensions, fractions)
def test_dimension_arithmetic_is_exact(a: Dimension, b: Dimension, p: Fraction) -> None:
    pairs = list(zip(a.exponents, b.exponents, strict=True))
    assert (a * b).exponents == tuple(x + y for x, y in pairs)
    assert (a / b).exponents == tuple(x - y for x, y in pairs)
    assert (a**p).exponents == tuple(x * p for x in a.exponents)
    assert a * b == b * a and hash(a * b) == hash(b * a)
    assert (a * b) / b == a and hash((a * b) / b) == hash(a)
    assert (a / a).is_dimensionless and a / a == DIMENSIONLESS
    assert a.is_dimensionless == (a == DIMENSIONLESS)
    assert copy.deepcopy(a) == a  # the protocol that carries it to worker processes too


def test_dimension_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="cannot be changed"):
        DIMENSIONLESS._numerators = (1,)  # type: ignore[misc]
    with pytest.raises(TypeError):
        DIMENSIONLESS**0.5  # type: ignore[operator]
    with pytest.raises(ValueError, match="at most 8 exponents, got 9"):
        Dimension([1] * 9)
    assert DIMENSIONLESS != 1


def scales(*texts: str) -> tuple[float, ...]:
    return coherent_scales([parse_unit(text) for text in texts])


def test_coherent_systems_stay_as_they_are() -> None:
    assert scales("m", "s", "m/s^2", "1", "J") == (1.0,) * 5
    assert scales("AU", "yr") == (1.0, 1.0)
    assert scales("AU", "yr", "AU/yr", "AU^3/yr^2", "1") == (1.0,) * 5
    assert scales("cm", "g", "s", "erg", "dyn") == (1.0,) * 5
    assert scales("km/h") == (1.0,)
    assert scales("cm^0.5", "cm") == (1.0, 1.0)
    assert coherent_scales([]) == ()


def test_mixed_systems_go_to_si() -> None:
    assert scales("AU", "m") == (149_597_870_700.0, 1.0)
    assert scales("km/h", "m", "s") == (1000 / 3600, 1.0, 1.0)
    assert scales("m", "%") == (1.0, 0.01)
    assert scales("deg") == (math.pi / 180,)
    assert scales("kJ", "N", "m") == (1000.0, 1.0, 1.0)
    assert scales("L", "atm", "J") == (0.001, 101325.0, 1.0)
    assert scales("torr", "mmHg") != (1.0, 1.0)  # they differ by 1.4e-7


@given(
    st.lists(dimensions, min_size=1, max_size=6),
    st.lists(st.floats(1e-12, 1e12), min_size=8, max_size=8),
    st.floats(1.001, 10),
)
def test_coherence_of_any_base_sizes(dims: list[Dimension], sizes: list[float], off: float) -> None:
    def factor(d: Dimension) -> float:
        logs = (float(e) * math.log(b) for e, b in zip(d.exponents, sizes, strict=True))
        return math.exp(math.fsum(logs) / 100)

    units = [Unit(d, factor(d), "") for d in dims]
    assert coherent_scales(units) == (1.0,) * len(dims)
    product = units[0].dimension
    for unit in units[1:]:
        product = product * unit.dimension
    inconsistent = [*units, Unit(product, factor(product) * off, "")]
    assert coherent_scales(inconsistent) == tuple(u.factor for u in inconsistent)


def test_pint_is_imported_only_when_needed() -> None:
    code = (
        "import sys, hypo.units as u; u.parse_unit(''); u.parse_unit('1'); "
        "assert 'pint' not in sys.modules; u.parse_unit('m'); assert 'pint' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_first_units_are_fast() -> None:
    code = (
        "import time; t = time.process_time(); import hypo.units as u; "
        "[u.parse_unit(x) for x in ('km/s/Mpc', 'J/mol/K', 'AU')]; print(time.process_time() - t)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    # 0.4 s on the machine it was written on; time of the processor, so that a busy one does not count.
    assert float(run.stdout) < 2.0


def test_repeated_units_are_cached() -> None:
    parse_unit("kg*m^2/s^3")
    start = time.process_time()
    for _ in range(1000):
        parse_unit("kg*m^2/s^3")
    assert time.process_time() - start < 0.1
