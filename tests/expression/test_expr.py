"""The expression type, exact derivatives, and conversion to sympy and back."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import sympy

from hypo.errors import FormulaError
from hypo.expression import PI, Constant, Expression
from hypo.expression.analysis.derivative import derivative
from hypo.expression.parser import parse
from hypo.expression.sympy_bridge import from_sympy, to_sympy
from hypo.kernels import opcodes as oc
from tests.oracles.reference import evaluate, random_tree

V, C, A = Expression.variable, Expression.constant, Expression.apply
x, y, z = V("x"), V("y"), V("z")
LEAVES = [x, y, z, x, C(2), C(-1.5), C(0.3), C(3)]


def random_expressions(seed: int, n: int, size: int = 12, **operators: Any) -> list[Expression]:
    rng = random.Random(seed)
    return [random_tree(rng, rng.randint(1, size), LEAVES, A, **operators) for _ in range(n)]


# --- the type -------------------------------------------------------------------------------------------------


def test_equal_formulas_are_equal_however_built() -> None:
    built = A("+", A("*", x, y), A("sqrt", x))
    assert built == parse("x*y + sqrt(x)") == x * y + A("sqrt", x)
    assert hash(built) == hash(parse("x*y + sqrt(x)"))
    assert built.variables == ("x", "y")
    raw = Expression.from_arrays([oc.VAR, oc.VAR, oc.MUL, oc.VAR, oc.SQRT, oc.ADD], [2, 1, 0, 2, 0, 0], ["a", "y", "x"])
    assert raw == built


def test_whether_a_constant_is_free_is_no_part_of_the_formula() -> None:
    assert C(2.0, free=True) == C(2.0)
    assert hash(C(2.0, free=True)) == hash(C(2.0))
    assert C(2.0) != C(2.0, name="k")
    assert Constant(2.0).is_literal
    assert not Constant(2.0, free=True).is_literal
    assert not PI.is_literal


def test_arithmetic_with_numbers() -> None:
    assert str(2 * x + 1 - y / 3) == "2*x + 1 - y/3"
    assert str(1 - (2 / x) ** 2) == "1 - (2/x)**2.0"
    assert str(-x) == "-x"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("sine", (x,), "unknown operator"),
        ("sin", (x, y), "expected 1 arguments"),
        ("min", (x,), "expected 2 arguments"),
    ],
)
def test_wrong_operators_are_refused(name: str, arguments: tuple[Expression, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        A(name, *arguments)


def test_tree_structure() -> None:
    e = parse("sin(x*y) - 2*x**2")
    assert len(e) == e.complexity() == 9
    assert e.depth == 4
    assert e.complexity({"sin": 3, "*": 0.5}) == 9 + 2 - 1
    assert [str(c) for c in e.children] == ["sin(x*y)", "2*x**2"]
    assert [str(s) for s in e.walk()] == ["x", "y", "x*y", "sin(x*y)", "2", "x", "x**2", "2*x**2", str(e)]
    assert e.starts == (0, 1, 0, 0, 4, 5, 5, 4, 0)
    assert x.children == ()


def test_length_of_the_tree() -> None:
    for e in random_expressions(1, 300):
        assert len(e) == 1 + sum(len(c) for c in e.children)
        assert e.depth == 1 + max((c.depth for c in e.children), default=0)
        assert e.children == () or Expression.join(e.root, e.children) == e


def test_constants_are_numbered_in_order() -> None:
    e = parse("2*x + 3*(x + 5)")
    assert e.values.tolist() == [2, 3, 5]
    new = e.with_values(np.array([7.0, 8.0, 9.0]))
    assert str(new) == "7*x + 8*(x + 9)"
    assert e.values.tolist() == [2, 3, 5]
    with pytest.raises(ValueError, match="expected 3 constants, got 2"):
        e.with_values([1, 2])
    assert parse("a*x + 2 + b", variables=["x"]).free == (0, 2)


def test_replacing_a_leaf() -> None:
    e = parse("x*y + 2")
    assert str(e.replace_leaf(1, parse("z + 1"))) == "x*(z + 1) + 2"
    assert str(e.replace_leaf(3, x)) == "x*y + x"
    assert e.replace_leaf(0, y).variables == ("y",)


def test_kernel_arrays() -> None:
    op, arg = parse("y - 2*x").arrays(["x", "y"])
    assert op.tolist() == [oc.VAR, oc.CONST, oc.VAR, oc.MUL, oc.SUB]
    assert arg.tolist() == [1, 0, 0, 0, 0]
    with pytest.raises(KeyError):
        parse("q").arrays(["x", "y"])


def test_expressions_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        x.code = ()  # type: ignore[misc]


def test_printed_forms_are_methods() -> None:
    e = parse("2.00612*sqrt(L/g)")
    assert e.pretty() == "2.006*sqrt(L/g)"
    assert e.pretty(2) == "2.0*sqrt(L/g)"
    assert e.latex() == r"2.006 \cdot \sqrt{\frac{L}{g}}"
    assert e.numpy_source("T").startswith("import numpy as np\n\n\ndef T(L, g):\n")
    assert e.sympy() == to_sympy(e)


# --- derivatives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "by", "expected"),
    [
        ("x**3", "x", "3*x**2"),
        ("sin(x*y)", "x", "y*cos(x*y)"),
        ("x**y", "x", "y*x**(y - 1)"),
        ("log(x)", "x", "1/x"),
        ("x**2 + y", "y", "1"),
        ("x**2", "q", "0"),
        ("exp(-x)", "x", "-exp(-x)"),
        ("tan(x)", "x", "tan(x)**2 + 1"),
        ("x*y*z", "y", "x*z"),
        ("2*pi*sqrt(x/y)", "x", "pi/(y*sqrt(x/y))"),
        ("abs(x)", "x", "x/abs(x)"),
        ("5", "x", "0"),
    ],
)
def test_known_derivatives(text: str, by: str, expected: str) -> None:
    assert str(derivative(parse(text), by)) == expected


def test_derivative_by_a_constant() -> None:
    e = parse("2*sin(3*x)")
    assert str(derivative(e, 0)) == "sin(3*x)"
    assert str(derivative(e, 1)) == "2*x*cos(3*x)"
    with pytest.raises(IndexError, match="has 2 constants, so there is none at position 2"):
        derivative(e, 2)


def test_derivatives_of_random_formulas_against_central_differences() -> None:
    rng = random.Random(11)
    compared = 0
    for e in random_expressions(10, 1500, size=10):
        for name in e.variables:
            d = derivative(e, name)
            point = {n: rng.uniform(0.2, 1.8) for n in "xyz"}
            slopes = []
            for h in (1e-5, 1e-6):
                up, down = (evaluate(e, {**point, name: point[name] + s * h}) for s in (1, -1))
                slopes.append((up - down) / (2 * h))
            if not math.isclose(*slopes, rel_tol=1e-5, abs_tol=1e-7):  # undefined, at a corner, or too steep
                continue
            stated = evaluate(d, point)
            if math.isnan(stated) and any(op in (oc.POW, oc.ABS, oc.MIN, oc.MAX) for op, _ in e.code):
                continue  # log of a negative base, or two equal arguments
            compared += 1
            assert math.isclose(stated, slopes[1], rel_tol=1e-4, abs_tol=1e-5), (str(e), str(d), point)
    assert compared > 900


def test_derivatives_by_constants_against_central_differences() -> None:
    rng = random.Random(12)
    compared = 0
    for e in random_expressions(
        13, 800, size=9, unary=["sin", "exp", "square", "sqrt", "inv"], binary=["+", "*", "-", "/"]
    ):
        for i in range(len(e.constants)):
            d = derivative(e, i)
            point = {n: rng.uniform(0.2, 1.8) for n in "xyz"}
            h = 1e-6 * np.eye(len(e.constants))[i]
            slope = (evaluate(e.with_values(e.values + h), point) - evaluate(e.with_values(e.values - h), point)) / 2e-6
            stated = evaluate(d, point)
            if math.isnan(slope) or abs(slope) > 1e3 or math.isnan(stated):
                continue
            compared += 1
            assert math.isclose(stated, slope, rel_tol=1e-4, abs_tol=1e-5), (str(e), i, str(d))
    assert compared > 300


# --- sympy ------------------------------------------------------------------------------------------------------


def test_sympy_symbols_are_real_and_numbers_exact() -> None:
    e = to_sympy(parse("x**2/4 + 0.5*y + pi*k", constants={"k": 3.0}))
    sx, sy, sk = (sympy.Symbol(n, real=True) for n in "xyk")
    assert e == sx**2 / 4 + sy / 2 + sympy.pi * sk
    assert to_sympy(parse("0.1*x")).atoms(sympy.Float) == {sympy.Float(0.1, 17)}
    assert to_sympy(parse("sqrt(x**2)")) == sympy.Abs(sx)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda a, b: a - 2 * b, "a - 2*b"),
        (lambda a, b: a / b**2, "a/b**2"),
        (lambda a, b: sympy.Rational(1, 3) * a, "a/3"),
        (lambda a, b: -a, "-a"),
        (lambda a, b: 1 / sympy.sqrt(a), "1/sqrt(a)"),
        (lambda a, b: a ** sympy.Rational(2, 3), "a**(2/3)"),
        (lambda a, b: sympy.exp(1) * sympy.pi, "exp(1)*pi"),
        (lambda a, b: sympy.Min(a, b, 3), "min(min(3, a), b)"),
        (lambda a, b: sympy.Abs(a) + sympy.log(b), "log(b) + abs(a)"),
        (lambda a, b: sympy.sign(a) * sympy.Abs(a) ** sympy.Rational(1, 3), "cbrt(a)"),
        (lambda a, b: a**b, "a**b"),
        (lambda a, b: sympy.Float(2.5) * a, "2.5*a"),
    ],
)
def test_from_sympy(made: Any, expected: str) -> None:
    a, b = sympy.symbols("a b", real=True)
    assert str(from_sympy(made(a, b))) == expected


def test_from_sympy_with_named_constants() -> None:
    e = from_sympy(sympy.Symbol("c") * sympy.Symbol("t"), constants={"c": 299792458.0})
    assert e.variables == ("t",)
    assert e.constants == (Constant(299792458.0, "c"),)


@pytest.mark.parametrize(
    "expr",
    [
        sympy.gamma(sympy.Symbol("a")),
        sympy.I,
        sympy.oo,
        sympy.zoo,
        sympy.nan,
        sympy.Piecewise((1, sympy.Symbol("a") > 0), (0, True)),
        sympy.Symbol("a") > 0,
    ],
)
def test_what_the_table_cannot_express_is_refused(expr: Any) -> None:
    with pytest.raises(FormulaError, match="cannot turn the sympy expression"):
        from_sympy(expr)


def test_what_is_not_real_in_sympy_is_a_clear_error() -> None:
    with pytest.raises(FormulaError, match="not real"):
        to_sympy(parse("min(sqrt(-2), x)"))


def test_sympy_round_trip_keeps_the_values() -> None:
    rng = random.Random(21)
    compared = 0
    for e in random_expressions(25, 250, size=9):
        try:
            converted = to_sympy(e)
            back = from_sympy(converted)
        except FormulaError:  # complex or infinite for sympy, so NaN here
            point = {n: rng.uniform(0.2, 1.8) for n in "xyz"}
            assert math.isnan(evaluate(e, point)), str(e)
            continue
        for _ in range(3):
            point = {n: rng.uniform(0.2, 1.8) for n in "xyz"}
            value = evaluate(e, point)
            nudged = evaluate(e, {k: v * (1 + 1e-11) for k, v in point.items()})
            if math.isclose(value, nudged, rel_tol=1e-8):
                compared += 1
                assert math.isclose(evaluate(back, point), value, rel_tol=1e-7, abs_tol=1e-9), (str(e), str(converted))
    assert compared > 300


def test_opcodes_of_the_leaves() -> None:
    assert x.root == oc.VAR
    assert C(1).root == oc.CONST
    assert Expression(((oc.CONST, 0),), (PI,), ()) == parse("pi")
