"""Printed forms: exact text, pretty text, LaTeX and NumPy source."""

from __future__ import annotations

import math
import random
import warnings
from typing import Any

import numpy as np
import pytest
import sympy

from hypo.expression import PI, Constant, Expression
from hypo.expression import operators as ops
from hypo.expression.parser import parse
from hypo.expression.printing import latex, numpy_source, plain, pretty
from hypo.kernels import opcodes as oc
from tests.oracles.reference import BINARY, evaluate, random_tree

V, C, A = Expression.variable, Expression.constant, Expression.apply
x, y, z = V("x"), V("y"), V("z")
pi = Expression(((1, 0),), (PI,), ())
PYTHON = {
    name: getattr(math, name)
    for name in (
        "sqrt",
        "cbrt",
        "exp",
        "log",
        "sin",
        "cos",
        "tan",
        "tanh",
        "sinh",
        "cosh",
        "asin",
        "acos",
        "atan",
        "pi",
    )
}
PYTHON |= {"abs": abs, "min": min, "max": max, "__builtins__": {}}


def python_value(text: str, point: dict[str, float]) -> float:
    """What Python makes of a printed formula, NaN where it raises or leaves the reals."""
    try:
        value = eval(text, PYTHON, point)  # noqa: S307
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):  # TypeError: a function of a complex number
        return math.nan
    return math.nan if isinstance(value, complex) or not math.isfinite(value) else float(value)


@pytest.mark.parametrize(
    ("e", "text"),
    [
        (x - (y + z), "x - (y + z)"),
        (x + (y + z), "x + (y + z)"),
        (x * (y * z), "x*(y*z)"),
        (x / (y * z), "x/(y*z)"),
        (x / y * z, "x/y*z"),
        ((x + y) * z, "(x + y)*z"),
        (C(-2) ** x, "(-2)**x"),
        (-(C(2.5)), "-(2.5)"),
        (-C(-2.5), "-(-2.5)"),
        (-A("square", C(2)), "-2**2"),
        (-(x * y), "-(x*y)"),
        ((-x) * y, "-x*y"),
        (A("neg", -x), "-(-x)"),
        (x - C(-2), "x - (-2)"),
        (x * A("inv", y), "x*(1/y)"),
        (A("inv", y) * x, "1/y*x"),
        (A("square", A("inv", x)), "(1/x)**2"),
        (A("inv", A("square", x)), "1/x**2"),
        (A("square", A("square", x)), "(x**2)**2"),
        (x ** C(2), "x**2.0"),
        (x ** C(3), "x**3.0"),
        (x ** C(4), "x**4"),
        (x ** C(-2), "x**(-2)"),
        (C(1) / x, "1.0/x"),
        (C(2) / x, "2/x"),
        ((C(1) + x) / y, "(1 + x)/y"),
        ((x**y) ** z, "(x**y)**z"),
        (x ** (y**z), "x**y**z"),
        (x**-y, "x**(-y)"),
        (C(0.1) + C(1e-5), "0.1 + 1e-05"),
        (C(1e15), "1000000000000000.0"),
        (C(999999999999999), "999999999999999"),
        (C(-0.0), "-0.0"),
        (A("min", x, -y), "min(x, -y)"),
        (C(2) * pi, "2*pi"),
        (A("abs", x - y), "abs(x - y)"),
    ],
)
def test_plain(e: Expression, text: str) -> None:
    assert plain(e) == str(e) == text
    assert parse(text) == e


def test_named_constants_are_printed_by_name() -> None:
    c = Constant(2.5, "c")
    e = Expression(((1, 0), (0, 0), (oc.MUL, 0)), (c,), ("x",))
    assert plain(e) == pretty(e) == "c*x"
    assert parse(plain(e), constants={"c": 2.5}) == e


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.0061234*sqrt(L/g)", "2.006*sqrt(L/g)"),
        ("6.67430e-11*m*M/r**2", "6.674e-11*m*M/r**2"),
        ("299792458*t", "299792458*t"),
        ("12345.678*t", "1.235e4*t"),
        ("2.00001*t", "2.000*t"),
        ("0.5*t", "0.5*t"),
        ("a + (b + c)", "a + b + c"),
        ("a + (-b)", "a - b"),
        ("a - (-2.5)", "a + 2.5"),
        ("a + (-2)", "a - 2"),
        ("a - (b - c)", "a - (b - c)"),
        ("a + (b - c)", "a + b - c"),
        ("a + (-b + c)", "a - b + c"),
        ("a + (-b)*c", "a - b*c"),
        ("a*(b*c)", "a*b*c"),
        ("a*(1/b)", "a/b"),
        ("1/b*a", "a/b"),
        ("a*(-2)", "-a*2"),
        ("-(a*b)", "-a*b"),
        ("-(a + b)*c", "-(a + b)*c"),
        ("-(-a)", "a"),
        ("(-a)**2", "(-a)**2"),
        ("x**(-2)", "x**(-2)"),
        ("a/(b/c)", "a/(b/c)"),
        ("sin(-x)", "sin(-x)"),
        ("(-35477614579.91684)**2", "(-3.548e10)**2"),
    ],
)
def test_pretty(text: str, expected: str) -> None:
    assert pretty(parse(text)) == expected


def test_pretty_digits() -> None:
    assert pretty(parse("3.14159265*x"), digits=2) == "3.1*x"
    assert pretty(parse("3.14159265*x"), digits=7) == "3.141593*x"
    assert pretty(Expression.constant(123456789.0, free=True)) == "1.235e8"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.0061234*sqrt(L/g)", r"2.006 \cdot \sqrt{\frac{L}{g}}"),
        ("6.6743e-11*m1*m_2/r**2", r"\frac{6.674 \times 10^{-11} \cdot m_{1} \cdot m_{2}}{{r}^{2}}"),
        ("-(a + b)/c", r"-\frac{a + b}{c}"),
        ("(a + b)*c", r"\left(a + b\right) \cdot c"),
        ("(a/b)**2", r"{\left(\frac{a}{b}\right)}^{2}"),
        ("x**(a + 1)", r"{x}^{a + 1}"),
        ("2e-7**x", r"{\left(2 \times 10^{-7}\right)}^{x}"),
        ("theta_0 + lambda_ + rho2", r"\theta_{0} + \lambda + \rho_{2}"),
        ("mass*T_max", r"\mathrm{mass} \cdot T_{\mathrm{max}}"),
        ("abs(x) + asin(y)", r"\left|x\right| + \arcsin\left(y\right)"),
        ("a - -2*pi", r"a + 2 \cdot \pi"),
        ("1/(a*b)", r"\frac{1}{a \cdot b}"),
        ("cbrt(x)*min(x, y)", r"\sqrt[3]{x} \cdot \min\left(x, y\right)"),
    ],
)
def test_latex(text: str, expected: str) -> None:
    assert latex(parse(text)) == expected


@pytest.mark.parametrize("row", ops.OPERATORS, ids=lambda row: row.name)
def test_every_print_form_has_its_arguments(row: ops.OperatorRow) -> None:
    for form in (row.plain, row.latex, row.numpy):
        text = form.format("AAA", "BBB")
        assert "AAA" in text
        assert ("BBB" in text) == (row.arity == 2)
        assert text.count("{") == text.count("}")
    e = A(row.name, *map(V, "uv"[: row.arity]))
    assert parse(plain(e)) == e
    assert latex(e).count("{") == latex(e).count("}")


@pytest.mark.parametrize("row", ops.OPERATORS, ids=lambda row: row.name)
def test_python_and_numpy_read_every_operator(row: ops.OperatorRow) -> None:
    rng = random.Random(1)
    e = A(row.name, *map(V, "uv"[: row.arity]))
    f = function(numpy_source(e))
    compared = 0
    for _ in range(60):
        point = {name: rng.uniform(-2, 2) for name in e.variables}
        expected = evaluate(e, point)
        if math.isnan(expected):
            continue
        compared += 1
        assert math.isclose(python_value(plain(e), point), expected, rel_tol=1e-14)
        assert math.isclose(f(*point.values()), expected, rel_tol=1e-14)
    assert compared > 15


def function(source: str) -> Any:
    space: dict[str, object] = {}
    exec(source, space)  # noqa: S102
    return next(v for k, v in space.items() if callable(v))


def test_python_reads_random_formulas() -> None:
    rng = random.Random(3)
    leaves = [x, y, z, C(2), C(1), C(3), C(-2), C(0.3), pi]
    compared = 0
    for _ in range(1500):
        e = random_tree(rng, rng.randint(2, 14), leaves, A)
        point = {name: rng.uniform(0.1, 2) for name in "xyz"}
        expected = evaluate(e, point)
        got = python_value(plain(e), point)
        if math.isnan(expected):
            continue
        compared += 1
        assert math.isclose(got, expected, rel_tol=1e-12), plain(e)
    assert compared > 700


def test_pretty_text_and_numpy_source_keep_the_value() -> None:
    rng = random.Random(4)
    leaves = [x, y, z, C(2), C(1), C(3), C(-2), C(0.3), C(-0.75), pi]
    names = [n for n in BINARY if n != "**"]
    compared = 0
    for _ in range(1500):
        e = random_tree(rng, rng.randint(2, 14), leaves, A, binary=names)
        point = {name: rng.uniform(0.5, 2) for name in "xyz"}
        expected = evaluate(e, point)
        nudged = evaluate(e, {k: v * (1 + 1e-11) for k, v in point.items()})
        if not math.isclose(expected, nudged, rel_tol=1e-8):  # undefined, or too close to a pole to compare
            continue
        compared += 1
        assert math.isclose(evaluate(parse(pretty(e, 17)), point), expected, rel_tol=1e-7), plain(e)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            got = function(numpy_source(e))(*(point[v] for v in e.variables))
        assert math.isclose(got, expected, rel_tol=1e-7), plain(e)
    assert compared > 700


def test_sympy_reads_random_formulas() -> None:
    rng = random.Random(5)
    symbols = {name: sympy.Symbol(name, positive=True) for name in "xyz"}
    leaves = [x, y, z, x, y, C(2), C(3), C(0.75), C(-2), pi]
    unary = ["neg", "inv", "square", "cube", "sqrt", "cbrt", "exp", "log", "sin", "tanh", "atan", "abs", "cosh"]
    compared = 0
    for _ in range(300):
        e = random_tree(rng, rng.randint(2, 8), leaves, A, unary=unary, binary=["+", "-", "*", "/", "**"])
        point = {name: rng.uniform(0.3, 1.7) for name in "xyz"}
        expected = evaluate(e, point)
        nudged = evaluate(e, {k: v * (1 + 1e-11) for k, v in point.items()})
        if not math.isclose(expected, nudged, rel_tol=1e-8):
            continue
        read = sympy.sympify(plain(e), locals=symbols).subs({symbols[k]: v for k, v in point.items()})
        value = complex(read.evalf())
        if abs(value.imag) > 1e-12:  # sympy's cbrt of a negative number is complex
            continue
        compared += 1
        assert math.isclose(value.real, expected, rel_tol=1e-7, abs_tol=1e-12), plain(e)
    assert compared > 120


def test_sympy_reads_every_function() -> None:
    symbols = {"u": sympy.Symbol("u", positive=True), "v": sympy.Symbol("v", positive=True)}
    for row in ops.OPERATORS:
        e = A(row.name, *map(V, "uv"[: row.arity]))
        value = sympy.sympify(plain(e), locals=symbols).subs({symbols["u"]: 0.3, symbols["v"]: 0.8}).evalf()
        assert math.isclose(float(value), evaluate(e, {"u": 0.3, "v": 0.8}), rel_tol=1e-14), row.name


def test_numpy_source() -> None:
    source = numpy_source(parse("x**-2 + sin(pi*y) + 3*asin(x)"), "law")
    assert source == (
        "import numpy as np\n\n\ndef law(x, y):\n    return x**(-2.0) + np.sin(np.pi*y) + 3.0*np.arcsin(x)\n"
    )


def test_numpy_source_works_on_columns_and_outside_the_domain() -> None:
    f = function(numpy_source(parse("sqrt(x) + (-2)**0.5 + 1/(3 - 3)*y")))
    with np.errstate(all="ignore"):
        assert np.isnan(f(np.array([1.0, -1.0]), np.array([1.0, 2.0]))).all()
    assert function(numpy_source(parse("2*3 + 1")))() == 7.0


def test_numpy_source_refuses_names_python_cannot_have() -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        numpy_source(V("a b"))
    with pytest.raises(ValueError, match="cannot be a name"):
        numpy_source(x, "2f")


def test_deep_formulas_are_printed() -> None:
    e = Expression(((0, 0), *((6, 0),) * 2000), (), ("x",))
    for text in (plain(e), pretty(e), latex(e), numpy_source(e)):
        assert text.count("(" if "sqrt(" in text else "{") >= 2000
