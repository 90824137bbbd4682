"""Formulas in other units: the same law for other numbers, whatever the formula and the factors."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from hypo.expression.edits.conversion import Units, converted, times
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.report.units import write_si_unit, write_unit
from hypo.search.table_units import UnitNames
from hypo.units import parse_unit, split_unit

ONE = Fraction(1)
COLUMNS = ("strain", "T", "theta", "t", "S")
NAMES = UnitNames.of({"strain": "%", "T": "K", "theta": "deg", "t": "min", "S": "mM", "y": "MPa", "R": "J/(mol*K)"})
UNITS = Units(
    {n: NAMES.powers[n] for n in (*COLUMNS, "R")},
    NAMES.powers["y"],
    {n: f for n, (_, f) in NAMES.known.items()},
    {"R": 8.314},
)


def read(text: str) -> Expression:
    e = parse(text, variables=COLUMNS, constants={"R": 8.314})
    return e.with_values([c.value + 1.5 * c.free for c in e.constants])


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        ("E*strain", "E*strain", ["MPa/%"]),
        ("a*exp(-b*t) + c", "a*exp(-b*t) + c", ["MPa", "1/min", "MPa"]),
        ("a*exp(-E/(R*T))", "a*exp(-E/(R*T))", ["MPa", "J/mol", None]),
        ("V*S/(K + S)", "V*S/(K + S)", ["MPa", "mM"]),
        ("a*sin(theta)", "a*sin(0.01745*theta)", ["MPa"]),
        ("K*strain**n", "K*(0.01*strain)**n", ["MPa", "1"]),
        ("200*strain", "2e-6*strain", [None]),
        ("t + b", "6e-5*t + b", ["MPa"]),
        ("a/(1 + (t/b)**2)", "a/(1 + (t/b)**2)", ["MPa", None, "min"]),
    ],
)
def test_constants_take_up_factors(before: str, after: str, units: list[str | None]) -> None:
    e = read(before)
    found = converted(e, UNITS)
    assert found.expression.pretty() == after
    sizes = [None if u is None else parse_unit(_text(u)).factor for u in found.units]
    assert sizes == [None if u is None else pytest.approx(parse_unit(u).factor) for u in units]
    assert [i for i in found.origin if i in e.free] == list(e.free)


def _text(unit: dict[str, Fraction]) -> str:
    return write_unit(unit, NAMES.dimension(unit), NAMES) or ""


def random_formula(rng: np.random.Generator, depth: int) -> Expression:
    kind = rng.integers(0, 10) if depth else rng.integers(0, 3)
    if kind == 0:
        return Expression.variable(str(rng.choice(["x", "z", "w"])))
    if kind == 1:
        return Expression.constant(float(rng.uniform(0.5, 2.0)), free=True)
    if kind == 2:
        return Expression.constant(float(rng.integers(1, 4)))
    if kind < 8:
        name = str(rng.choice(["+", "-", "*", "/", "*", "/", "max"]))
        return Expression.apply(name, random_formula(rng, depth - 1), random_formula(rng, depth - 1))
    if kind == 8:
        return random_formula(rng, depth - 1) ** Expression.constant(float(rng.choice([2, 3, -1, 0.5, 1.3])))
    name = str(rng.choice(["neg", "inv", "square", "cube", "sqrt", "cbrt", "exp", "log", "sin", "atan", "abs"]))
    return Expression.apply(name, random_formula(rng, depth - 1))


def test_random_formulas_keep_their_values() -> None:
    """f_new(x_new) = f_old(x_new·scale)/scale_y, against plain substitution; ties stay ties."""
    rng = np.random.default_rng(3)
    met = 0
    for _ in range(400):
        e = random_formula(rng, int(rng.integers(1, 6)))
        sizes = {
            n: float(10.0 ** rng.integers(-6, 7)) * float(rng.choice([1.0, 60.0, np.pi / 180])) for n in ("u", "v", "s")
        }
        powers = [{"u": ONE}, {"v": -ONE, "u": ONE}, {"s": Fraction(1, 2)}]
        units = Units(dict(zip("xzw", powers, strict=True)), {"s": ONE, "v": ONE}, sizes)
        if e.free and rng.random() < 0.5:
            first = e.constants[e.free[0]].value
            e = replace(e, constants=tuple(replace(c, name="k", value=first) if c.free else c for c in e.constants))
        found = converted(e, units)
        new = rng.uniform(0.3, 3.0, (40, 3))
        scale = np.array([units.size(p) for p in powers])
        with np.errstate(all="ignore"):
            expected = evaluate(e, new * scale, ["x", "z", "w"]) / units.size(units.target)
            values = evaluate(found.expression, new, ["x", "z", "w"])
            # How much the last digits of numbers matter to the formula itself.
            moved = evaluate(e, new * scale * (1 + 1e-14), ["x", "z", "w"]) / units.size(units.target)
        ok = np.isfinite(expected) & (np.abs(moved - expected) < 1e-10 * np.abs(expected))
        met += int(ok.sum())
        assert values[ok] == pytest.approx(expected[ok], rel=1e-7)
        tied = [c.value for c in found.expression.constants if c.name == "k"]
        assert len(set(tied)) <= 1
        for old, i in enumerate(found.origin):
            if i >= 0 and e.constants[i].free:
                assert found.expression.constants[old].value == e.constants[i].value * found.factor[i]
    assert met > 3000


def test_a_formula_in_its_own_units_stays() -> None:
    e = read("a*exp(-b*t)/(1 + T) + strain")
    same = converted(e, replace(UNITS, sizes=dict.fromkeys(UNITS.sizes, 1.0), values={}))
    assert same.expression == e and set(same.factor) == {1.0}


def test_deep_formulas_are_converted_at_their_leaves() -> None:
    e = Expression.variable("t")
    for _ in range(3000):
        e = Expression.apply("sin", e)
    found = converted(e, UNITS)
    assert evaluate(found.expression, np.array([[2.0]]), ["t"])[0] == pytest.approx(
        evaluate(e, np.array([[120.0]]), ["t"])[0] / 1e6
    )


def test_way_back() -> None:
    e = read("a*exp(-b*t) + 3*strain/(1 + sin(theta))")
    there = converted(e, replace(UNITS, values={}))
    back = converted(there.expression, replace(UNITS, sizes={n: 1 / s for n, s in UNITS.sizes.items()}, values={}))
    assert str(back.expression.pretty(8)) == e.pretty(8)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("kg/m/s^2", "Pa"),
        ("kg*m/s^2", "N"),
        ("kg*m^2/s^2/mol/K", "J/K/mol"),
        ("kg/m/s", "Pa*s"),
        ("m*s^2/kg", "1/Pa"),
        ("kg/m^3", "kg/m^3"),
        ("m/s^2", "m/s^2"),
        ("1/s", "1/s"),
        ("kg/s^3/K^4", "W/m^2/K^4"),
        ("m^3/kg/s^2", "m^3/kg/s^2"),
        ("", "1"),
        ("%", "1"),
        ("m^2/s^2", "m^2/s^2"),
        ("kg*m^2/s^3/A^2", "ohm"),
        ("m^2/s^2/K", "J/kg/K"),
    ],
)
def test_si_has_names(unit: str, text: str) -> None:
    assert write_si_unit(parse_unit(unit).dimension) == text
    assert parse_unit(text).dimension == parse_unit(unit).dimension and parse_unit(text).factor == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("columns", "powers", "text"),
    [
        ({"a": "AU", "T": "yr"}, {"a": Fraction(-3, 2), "T": ONE}, "yr/AU^1.5"),
        ({"E": "J", "m": "kg"}, {"E": Fraction(1, 2), "m": Fraction(-1, 2)}, "m/s"),
        ({"F": "kN", "A": "mm^2"}, {"F": ONE, "A": -ONE}, "kN/mm^2"),
        ({"p": "kg/m/s^2"}, {"p": ONE}, "Pa"),
        ({"x": "m", "u": "metre"}, {"x": ONE, "u": -ONE}, "1"),
        ({"x": "10 m", "t": "s"}, {"x": ONE, "t": -ONE}, "(10 m)/s"),
        ({"x": "%", "y": "ppm"}, {"y": ONE, "x": -ONE}, "ppm/%"),
    ],
)
def test_units_are_those_of_the_columns(columns: dict[str, str], powers: dict[str, Fraction], text: str) -> None:
    names = UnitNames.of(columns)
    unit: dict[str, Fraction] = {}
    for name, power in powers.items():
        unit = times(unit, names.powers[name], power)
    dimension = names.dimension(unit)
    assert write_unit(unit, dimension, names) == text
    assert parse_unit(text).dimension == dimension and parse_unit(text).factor == pytest.approx(names.factor(unit))
    assert write_unit(unit, dimension * parse_unit("m").dimension, names) is None
    assert write_unit(unit, None, names) is None


def test_parts_of_units() -> None:
    assert split_unit("J/(mol*K)") == {"J": 1, "mol": -1, "K": -1}
    assert split_unit("kg m2 s-2") == {"kg": 1, "m": 2, "s": -2}
    assert split_unit("AU^1.5/yr") == {"AU": Fraction(3, 2), "yr": -1}
    assert split_unit("rad") == split_unit("") == {} and split_unit("rad", strict_angles=True) == {"rad": 1}
    assert split_unit("1e3 kg") == {"1e3 kg": 1}
