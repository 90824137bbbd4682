"""Reading of formulas: grammar, short forms, names, limits and messages."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypo.errors import FormulaError
from hypo.expression import PI, Constant, Expression
from hypo.expression import operators as ops
from hypo.expression.parser import MAX_LENGTH, MAX_NESTING, parse
from hypo.expression.printing import plain
from tests.oracles.reference import BINARY, UNARY, evaluate, random_tree

V, C, A = Expression.variable, Expression.constant, Expression.apply
x, y, z = V("x"), V("y"), V("z")
LEAVES = [
    x,
    y,
    z,
    *map(C, (0, 1, 2, 3, 7, -1, -2, -3, 0.5, 1e-5, -2.5e300, 1e15, 1e16, 0.1 + 0.2, -0.0)),
    Expression(((1, 0),), (PI,), ()),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + y*z", x + y * z),
        ("x - y - z", (x - y) - z),
        ("x/y/z", (x / y) / z),
        ("x - (y - z)", x - (y - z)),
        ("-x**2", -A("square", x)),
        ("(-x)**2", A("square", -x)),
        ("-x*y", (-x) * y),
        ("x**y**z", x ** (y**z)),
        ("x^y", x**y),
        ("2**-1", C(2) ** C(-1)),
        ("2**-x**y", C(2) ** -(x**y)),
        ("x**-y*z", (x**-y) * z),
        ("+x", x),
        ("--x", A("neg", -x)),
        ("x - -2", x - C(-2)),
        ("x*-2", x * C(-2)),
        ("-2**2", -A("square", C(2))),
        ("-2*x", C(-2) * x),
        ("-(2)*x", -C(2) * x),
        ("  sqrt( x )\n", A("sqrt", x)),
        ("min(x, max(y, z))", A("min", x, A("max", y, z))),
        ("1e-5 + .5 + 2. + 1E+3", C(1e-5) + C(0.5) + C(2) + C(1000)),
        ("((x))", x),
    ],
)
def test_grammar(text: str, expected: Expression) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x**2", A("square", x)),
        ("x^3", A("cube", x)),
        ("x**2**3", x ** A("cube", C(2))),
        ("x**2*y", A("square", x) * y),
        ("x**2.0", x ** C(2)),
        ("x**(2)", x ** C(2)),
        ("x**-2", x ** C(-2)),
        ("1/x", A("inv", x)),
        ("1/x*y", A("inv", x) * y),
        ("1/x/y", A("inv", x) / y),
        ("1/1/x", A("inv", C(1)) / x),
        ("y - 1/x**2", y - A("inv", A("square", x))),
        ("1.0/x", C(1) / x),
        ("(1)/x", C(1) / x),
        ("y*1/x", (y * C(1)) / x),
        ("y**1/x", (y ** C(1)) / x),
        ("-1/x", C(-1) / x),
        ("- -1/x", -C(-1) / x),
    ],
)
def test_short_forms_need_exactly_the_integer(text: str, expected: Expression) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("name", [n for n in (*ops.BY_NAME, *ops.ALIASES) if n.isidentifier()])
def test_every_function_name_can_be_called(name: str) -> None:
    row = ops.lookup(name)
    assert row is not None
    arguments = "xy"[: row.arity]
    assert parse(f"{name}({', '.join(arguments)})") == A(row.name, *map(V, arguments))


def test_names_without_columns_are_variables() -> None:
    assert parse("a*pi + b").variables == ("a", "b")
    assert parse("pi").constants == (PI,)
    assert parse("θ_1 + x2").variables == ("θ_1", "x2")


def test_given_constants_are_fixed() -> None:
    e = parse("c*t", constants={"c": 299792458})
    assert e.constants == (Constant(299792458.0, "c"),)
    assert not e.free
    assert parse("c*t", variables=["t"], constants={"c": 3.0}).free == ()


def test_other_names_are_fitted_when_the_columns_are_known() -> None:
    e = parse("a*x + a*sin(b*pi) + 2", variables=["x"])
    assert e.variables == ("x",)
    assert [(c.name, c.free) for c in e.constants] == [
        ("a", True),
        ("a", True),
        ("b", True),
        ("pi", False),
        (None, False),
    ]
    assert e.constants[0].value == 1.0


def test_columns_go_before_everything() -> None:
    e = parse("pi + exp + c", variables=["pi", "exp", "c"], constants={"c": 1.0})
    assert e.variables == ("pi", "exp", "c")


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "empty"),
        ("   ", 1, "empty"),
        ("x + ", 5, "expected a number, a name or '('"),
        ("x + )", 5, "found ')'"),
        ("(x", 3, "')' to close the '(' at column 1"),
        ("x)", 2, "no '(' before it"),
        ("2x", 2, "between '2' and 'x'"),
        ("x y", 3, "multiplication is written out"),
        ("(x)(y)", 4, "between ')' and '('"),
        ("x $ y", 3, "unexpected character '$'"),
        ("x + sine(x)", 5, "did you mean 'sin'"),
        ("erf(x)", 1, "unknown function 'erf'"),
        ("qqqq(x)", 1, "known are neg, inv"),
        ("sin(x, y)", 9, "sin takes 1 argument, got 2"),
        ("min(x)", 6, "min takes 2 arguments, got 1"),
        ("sin()", 5, "found ')'"),
        ("x, y", 2, "comma"),
        ("(x, y)", 3, "comma"),
        ("1e999", 1, "too large"),
        ("x**", 4, "the formula ends"),
        ("* x", 1, "found '*'"),
        ("sin x", 5, "expected '(' after the function 'sin'"),
        ("pi(x)", 3, "write pi*("),
        ("x == y", 3, "unexpected character '='"),
        ("x[0]", 2, "unexpected character '['"),
    ],
)
def test_messages_mark_the_place(text: str, column: int, words: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    message = str(caught.value)
    assert f"at column {column}:" in message
    assert words in message
    line, mark = message.split("\n")[-2:]
    assert mark.index("^") - (len(line) - len(line.lstrip())) in (
        column - 1,
        column - 1 - len(text) + len(text.lstrip()),
    )


def test_messages_know_the_columns() -> None:
    with pytest.raises(FormulaError, match="expected an operator after 'x'"):
        parse("x(2)", variables=["x"])
    with pytest.raises(FormulaError, match="sin is a function"):
        parse("sin + x", variables=["x"])


def test_long_messages_show_the_surroundings_only() -> None:
    with pytest.raises(FormulaError) as caught:
        parse("x + " * 500 + "$" + " + x" * 500)
    line, mark = str(caught.value).split("\n")[-2:]
    assert len(line) < 100
    assert line[mark.index("^")] == "$"


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(FormulaError, match="must be text, got int"):
        parse(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "(" * 300 + "x" + ")" * 300,
        "-" * 5000 + "x",
        "x**" * 3000 + "x",
        "sin(" * 1000 + "x" + ")" * 1000,
        "x+(" * 1000 + "x" + ")" * 1000,
        "1/(" * 300 + "x" + ")" * 300,
    ],
)
def test_deep_nesting_is_a_clear_error(text: str) -> None:
    with pytest.raises(FormulaError, match=f"at most {MAX_NESTING} levels"):
        parse(text)


def test_allowed_nesting_is_read() -> None:
    e = parse("(" * MAX_NESTING + "x" + ")" * MAX_NESTING)
    assert e == x
    deep = parse("sin(" * MAX_NESTING + "x" + ")" * MAX_NESTING)
    assert deep.depth == MAX_NESTING + 1
    assert parse(plain(deep)) == deep


def test_long_chains_are_read_and_printed() -> None:
    text = "x + y*" * 1600 + "x"
    e = parse(text)
    assert len(e) == 6401
    assert parse(plain(e)) == e
    with pytest.raises(FormulaError, match=f"at most {MAX_LENGTH}"):
        parse("x+" * MAX_LENGTH + "x")


def test_print_and_parse_give_the_same_expression_back() -> None:
    rng = random.Random(20)
    for _ in range(10_000):
        e = random_tree(rng, rng.randint(1, 24), LEAVES, A)
        text = plain(e)
        back = parse(text)
        assert back == e, text
        # -0.0 equals 0.0, but 1/-0.0 is not 1/0.0.
        assert [math.copysign(1, c.value) for c in back.constants] == [
            math.copysign(1, c.value) for c in e.constants
        ], text


expressions = st.recursive(
    st.sampled_from([x, y, z, Expression(((1, 0),), (PI,), ())])
    | st.floats(allow_nan=False, allow_infinity=False).map(C)
    | st.integers(-4, 4).map(C),
    lambda inner: st.builds(A, st.sampled_from(UNARY), inner) | st.builds(A, st.sampled_from(BINARY), inner, inner),
    max_leaves=12,
)


@given(expressions)
def test_round_trip_of_any_expression(e: Expression) -> None:
    assert parse(plain(e)) == e


@given(expressions, st.floats(-3, 3), st.floats(0.1, 4))
def test_a_formula_read_back_has_the_same_values(e: Expression, a: float, b: float) -> None:
    point = {"x": a, "y": b, "z": -b}
    before, after = evaluate(e, point), evaluate(parse(plain(e)), point)
    assert before == after or (math.isnan(before) and math.isnan(after))


@given(st.text(alphabet="xy12.e+-*/^(), sinpqrt", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        e = parse(text)
    except FormulaError:
        return
    assert parse(plain(e)) == e
