"""First-order rules: grammar, names, writing back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.errors import FormulaError
from hypo.expression import Expression
from hypo.expression.parser import parse
from hypo.expression.printing import plain
from hypo.knowledge.logic.sentence import parse_logic, read_logic
from hypo.knowledge.logic.syntax import (
    Argument,
    Call,
    Chain,
    Conjunction,
    Derivative,
    Integral,
    LogicTerm,
    Quantified,
    QuantifierInterval,
)
from tests.knowledge.logic.sentences import sentence
from tests.oracles.reference import random_tree

X, Y, ONE = Expression.variable("x"), Expression.variable("y"), Expression.constant(1)


def term(text: str) -> LogicTerm:
    """The left side of ``text > 1``."""
    statement = sentence(f"{text} > 1").statement
    assert isinstance(statement, Chain)
    return statement.first


# --- grammar ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bracketed"),
    [
        ("x > 1 and y > 1 or x < 1", "(x > 1 and y > 1) or (x < 1)"),
        ("not x > 1 and y > 1", "(not (x > 1)) and (y > 1)"),
        ("x > 1 or y > 1 implies x < 1", "(x > 1 or y > 1) implies (x < 1)"),
        ("x > 1 implies y > 1 implies x < 1", "x > 1 implies (y > 1 implies x < 1)"),
        ("x > 1 iff y > 1 iff x < 1", "(x > 1 iff y > 1) iff x < 1"),
        ("x > 1 implies y > 1 iff x < 1", "(x > 1 implies y > 1) iff (x < 1)"),
        ("x > 1 and forall z in [0, 1]: z > x or y > 1", "x > 1 and (forall z in [0, 1]: (z > x or y > 1))"),
        ("not exists z in [0, 1]: z > x and y > 1", "not (exists z in [0, 1]: (z > x and y > 1))"),
        ("forall z, w in [0, 1]: z > w", "forall z in [0, 1], w in [0, 1]: z > w"),
        ("forall z, w in [0, 1], v in [1, 2]: z > w", "forall z in [0, 1], w in [0, 1], v in [1, 2]: z > w"),
        ("((x)) + 1 > (1)", "x + 1 > 1"),
        ("((x > 1))", "x > 1"),
        ("x == 1", "x = 1"),
        ("x ≤ 1 ≠ y ≥ 2", "x <= 1 != y >= 2"),
        ("x^2 > 1", "x**2 > 1"),
        ("x\n\t> 1 ", "x > 1"),
    ],
)
def test_precedence(text: str, bracketed: str) -> None:
    assert sentence(text) == sentence(bracketed)


def test_a_sentence_as_a_tree() -> None:
    found = sentence("forall x in (0, 2*pi]: 0 <= int(T(y=z), z, 0, 1) < 1 and d2f/dxdy(x, 1) = 1")
    zero, one = LogicTerm(Expression.constant(0)), LogicTerm(ONE)
    part = Expression.variable("#0")
    call = Call("T", (Argument("y", LogicTerm(Expression.variable("z"))),))
    integral = Integral(LogicTerm(part, (call,)), "z", zero, one)
    derivative = Derivative("d2f/dxdy", ("x", "y"), (Argument(None, LogicTerm(X)), Argument(None, one)))
    interval = QuantifierInterval(zero, LogicTerm(parse("2*pi")), (False, True))
    assert found.statement == Quantified(
        True,
        (("x", interval),),
        Conjunction(
            (
                Chain(zero, (("<=", LogicTerm(part, (integral,))), ("<", one))),
                Chain(LogicTerm(part, (derivative,)), (("=", one),)),
            )
        ),
    )


def test_numbers_are_read_as_in_formulas() -> None:
    rng = random.Random(1)
    leaves = [X, Y, *map(Expression.constant, (0, 1, 2, 3, 7, -1, -2, 0.5, 1e-5, -2.5e300, 1e16))]
    for size in range(1, 300):
        e = random_tree(rng, 1 + size % 25, leaves, Expression.apply)
        assert term(plain(e)).expression == parse(plain(e)) == e, plain(e)
    for text in (
        "-x**2",
        "2**-x**y",
        "x**-y*x",
        "- -1/x",
        "1/1/x",
        "y*1/x",
        "(1)/x",
        "x**2.0",
        "x**(2)",
        "x^3",
        "x**2**3",
        "-(2)*x",
        "+x",
        "--x",
        "x - -2",
        "x*-2",
        "-2**2",
        "min(x, max(y, 1))",
        "ln(x)",
    ):
        assert term(text).expression == parse(text), text


def test_derivatives_bind_like_a_name() -> None:
    for text in ("1/df/dx**2", "x*df/dx", "-df/dx/y", "df/dx**2", "2*df/dx(x, y)"):
        found = term(text)
        marked = text.replace("df/dx(x, y)", "D").replace("df/dx", "D")
        assert found.expression.substitute({"#0": Expression.variable("D")}) == parse(marked)


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_column_wins_over_f_and_constants_and_the_target_always_works() -> None:
    columns = ("f", "d", "e", "df")
    found = sentence("T(1, 2, 3, 4) > f + d*e", columns, e=2.0, c=1.0)
    assert isinstance(found.statement, Chain)
    assert found.statement.links[0][1] == LogicTerm(parse("f + d*e"))
    arguments = tuple(Argument(None, LogicTerm(Expression.constant(k))) for k in (1, 2, 3, 4))
    assert found.statement.first.parts == (Call("T", arguments),)
    quotient = sentence("df/d > 1", columns).statement
    assert isinstance(quotient, Chain) and quotient.first == LogicTerm(parse("df/d"))
    assert term("T").parts == (Call("T"),) and term("f").parts == (Call("f"),)
    derivative = sentence("dT/df > d2T/df2", ("f", "d")).statement
    assert isinstance(derivative, Chain)
    assert [derivative.first.parts[0].by, derivative.links[0][1].parts[0].by] == [("f",), ("f", "f")]  # type: ignore[union-attr]


def test_a_named_constant_wins_over_f_and_loses_to_a_column() -> None:
    found = sentence("f > x", ("x",), f=2.5).statement
    assert isinstance(found, Chain) and found.first.expression.values == [2.5]
    found = sentence("c > x", ("x", "c")).statement
    assert isinstance(found, Chain) and found.first == LogicTerm(Expression.variable("c"))


def test_a_quantified_variable_may_be_a_column_or_new() -> None:
    assert (
        str(sentence("forall x in [0, 1], new in [0, 1]: f(new, x) > new"))
        == "forall x in [0, 1], new in [0, 1]: f(new, x) > new"
    )


@pytest.mark.parametrize(
    ("written", "columns", "by"),
    [
        ("df/dx", ("x", "y"), ("x",)),
        ("dT/dy", ("x", "y"), ("y",)),
        ("d2f/dx2", ("x", "y"), ("x", "x")),
        ("d2T/dydx", ("x", "y"), ("x", "y")),
        ("d3f/dx2dy", ("x", "y"), ("x", "x", "y")),
        ("d4f/dx4", ("x",), 4 * ("x",)),
        ("df/dx1", ("x1", "x"), ("x1",)),
        ("d2f/dx12", ("x1", "x"), ("x1", "x1")),
        ("df/dx12", ("x1", "x12"), ("x12",)),
        ("d2f/dm1dm2", ("m1", "m2"), ("m1", "m2")),
        ("df/ddensity", ("density",), ("density",)),
        ("df/df", ("f", "x"), ()),
    ],
)
def test_derivatives_name_their_columns(written: str, columns: tuple[str, ...], by: tuple[str, ...]) -> None:
    if not by:
        with pytest.raises(FormulaError, match="unknown name 'df'"):
            sentence(f"{written} > 1", columns)
        return
    found = sentence(f"{written} > 1", columns).statement
    assert isinstance(found, Chain) and isinstance(found.first.parts[0], Derivative)
    assert found.first.parts[0].by == by


def test_without_names_only_the_syntax_is_checked() -> None:
    text = "forall a in [lo, 2*hi]: g(a, 1) > anything and dh/dz(1) = int(w, w, 0, q) and inf > int"
    found = read_logic(text)
    assert found.names is None and read_logic(str(found)) == found
    with pytest.raises(FormulaError, match=r"unknown name 'lo'"):
        found.bind(["x"], "T", {})
    with pytest.raises(FormulaError, match=r"column 15.*\(' at column 1 "):
        read_logic("(x > 1 and y>1")
    assert read_logic("f(x) > c").bind(["x"], "T", {"c": 1.0}) == parse_logic(
        "f(x) > c", variables=["x"], target="T", constants={"c": 1.0}
    )


# --- writing back -----------------------------------------------------------------------------------------------------

NUMBERS = st.sampled_from(["x", "y", "c", "pi", "1", "2.5", "-3", "1e-07"])
CONSTANT = st.sampled_from([("0", "1"), ("-1", "2*pi"), ("-inf", "c"), ("1/3", "inf"), ("0", "0")])


def terms() -> st.SearchStrategy[str]:
    return st.recursive(
        NUMBERS,
        lambda inner: st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
            st.builds("{}({})".format, st.sampled_from(["sqrt", "-", "cbrt", "abs"]), inner),
            st.builds("f({}, {})".format, inner, inner),
            st.builds("T(y={})".format, inner),
            st.sampled_from(["f", "T", "dT/dx"]),
            st.builds("d2f/dx2({}, {})".format, inner, inner),
            st.builds("({})**2".format, inner),
            st.builds("1/({})".format, inner),
        ),
        max_leaves=6,
    )


INTEGRALS = st.one_of(terms(), st.builds("int({}*s, s, {}, {})".format, terms(), terms(), terms()))
CHAINS = st.one_of(
    st.builds("{} {} {}".format, INTEGRALS, st.sampled_from(["=", "==", "!=", "<", "<=", ">", ">="]), INTEGRALS),
    st.builds("{} < {} <= {}".format, terms(), terms(), INTEGRALS),
)


def quantified(sort: str, bounds: tuple[str, str], ends: tuple[str, str], body: str) -> str:
    if bounds[0] == bounds[1]:
        ends = ("[", "]")
    return (
        f"({sort} x in domain, z{len(body)} in {ends[0]}{bounds[0]}, {bounds[1]}{ends[1]}: {body})"
        if " x in " not in body
        else f"({sort} z{len(body)} in {ends[0]}{bounds[0]}, {bounds[1]}{ends[1]}: {body})"
    )


STATEMENTS = st.recursive(
    CHAINS,
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or", "implies", "iff"]), inner),
        st.builds("({}) and ({}) and ({})".format, inner, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds(
            quantified, st.just("forall"), CONSTANT, st.tuples(st.sampled_from("[("), st.sampled_from("])")), inner
        ),
        st.builds(
            quantified, st.just("exists"), CONSTANT, st.tuples(st.sampled_from("[("), st.sampled_from("])")), inner
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(STATEMENTS)
def test_a_printed_sentence_reads_back_equal(text: str) -> None:
    try:
        found = sentence(text)
    except FormulaError as e:
        assert "blocks of" in str(e) or "variables can be quantified" in str(e), text
        return
    assert sentence(str(found)) == found
    assert str(sentence(str(found))) == str(found)
    assert read_logic(str(read_logic(text))) == read_logic(text)
