"""First-order rules: grammar, names, messages, writing back."""

from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.errors import FormulaError
from hypo.expression import Expression
from hypo.expression.parser import parse
from hypo.expression.printing import plain
from hypo.knowledge.logic import syntax
from hypo.knowledge.logic.parser import MAX_LENGTH, MAX_NESTING
from hypo.knowledge.logic.sentence import Sentence, parse_logic, read_logic
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
from tests.oracles.reference import random_tree

X, Y, ONE = Expression.variable("x"), Expression.variable("y"), Expression.constant(1)


def sentence(text: str, variables: tuple[str, ...] = ("x", "y"), target: str = "T", **constants: float) -> Sentence:
    return parse_logic(text, variables=variables, target=target, constants={"c": 3.0, **constants})


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


# --- messages ---------------------------------------------------------------------------------------------------------

MESSAGES = [
    ("", 1, "the rule is empty; expected a statement such as 'f >= 0'"),
    ("f >", 4, "expected a number, a name or '(' but the rule ends"),
    ("f + 1", 6, "expected a comparison such as '>= 0' after the number that begins at column 1 but the rule ends"),
    (
        "x > 1 and y",
        12,
        "expected a comparison such as '>= 0' after the number that begins at column 11 but the rule ends",
    ),
    ("x > 1 and", 10, "expected a statement, a number, a name or '(' but the rule ends"),
    ("x and y > 1", 3, "expected a comparison such as '>= 0' before 'and'"),
    ("(f > 1) + 2 > 3", 9, "'+' needs numbers, but what begins at column 1 is a statement"),
    ("1 + (f > 1) > 3", 5, "expected a number but found a statement"),
    ("1 + not f > 1", 5, "expected a number (put a statement in brackets) but found 'not'"),
    ("x y > 1", 3, "expected an operator between 'x' and 'y'; multiplication is written out with '*'"),
    ("2(x + 1) > 1", 2, "expected an operator between '2' and '('; multiplication is written out with '*'"),
    ("sqrt x > 1", 6, "expected '(' after the function 'sqrt' but found 'x'"),
    ("min(x) > 1", 6, "min takes 2 arguments, got 1"),
    ("sqrt(x, y) > 1", 10, "sqrt takes 1 argument, got 2"),
    ("(x > 1", 7, "expected ')' to close the '(' at column 1 but the rule ends"),
    ("x > 1)", 6, "this ')' has no '(' before it"),
    ("x > 1 && y > 1", 7, "unexpected '&&'; write 'and'"),
    ("x > 1 -> y > 1", 7, "unexpected '->'; write 'implies'"),
    ("∀ x in [0, 1]: x > 1", 1, "unexpected '∀'; write 'forall'"),
    ("x > 1 ; y > 1", 7, "unexpected character ';'"),
    ("forall x in [0 .. 1]: x > 1", 16, "unexpected character '.'"),
    ("x > 1e999", 5, "the number 1e999 is too large for a float"),
    # names
    ("f > zz", 5, "unknown name 'zz'; known are x, y, c, T, f and pi"),
    ("f > X", 5, "unknown name 'X'; did you mean x?"),
    ("sqr(x) > 1", 1, "unknown function 'sqr'; did you mean sqrt?"),
    (
        "g(x) > 1",
        1,
        "unknown function 'g'; known are T, f, neg, inv, square, cube, sqrt, cbrt, exp, log, sin, cos, tan, tanh, "
        "sinh, cosh, asin, acos, atan, abs, min, max and int",
    ),
    ("x(1) > 1", 2, "expected an operator after 'x', which is a column"),
    ("c(1) > 1", 2, "expected an operator after 'c', which is a named constant"),
    ("pi(1) > 1", 3, "expected an operator after 'pi', which is a constant"),
    ("f > inf", 5, "inf can only be an end of a quantified variable's interval"),
    # arguments
    ("f(x) > 1", 2, "f takes 2 arguments (x, y), got 1; some alone are given by name, as in f(x=…)"),
    ("T(x, y, 1) > 1", 2, "T takes 2 arguments (x, y), got 3; some alone are given by name, as in T(x=…)"),
    ("f() > 1", 3, "f without arguments is written without brackets"),
    ("f(x=1, 2) > 1", 8, "the arguments of f are given either all by position or all by name"),
    ("f(x=1, x=2) > 1", 8, "the argument x is given twice"),
    ("f(z=1) > 1", 3, "f has no argument 'z'; its arguments are x and y"),
    ("f(x, y > 1", 8, "expected ')' to close the arguments of f but found '>'"),
    # derivatives and integrals
    ("df/dz > 1", 4, "expected 'd' and a column after df/, but 'z' is no column; the columns are x and y"),
    ("df/dX > 1", 4, "expected 'd' and a column after df/, but 'X' is no column; did you mean x?"),
    ("d2f/dx > 1", 5, "d2f is of order 2, but dx is of order 1"),
    ("df/dxdy > 1", 4, "df is of order 1, but dxdy is of order 2"),
    ("d5f/dx5 > 1", 1, "derivatives go up to order 4"),
    (
        "forall z in [0, 1]: df/dz > 1",
        24,
        "z is a quantified variable, no column; the law has derivatives by its columns "
        "(x, y), taken at other arguments as in df/dx(…)",
    ),
    ("int(x, y, 0) > 1", 12, "expected ',' in int(integrand, variable, from, to) but found ')'"),
    ("int(x, 2, 0, 1) > 1", 8, "expected the name of a variable in int(integrand, variable, from, to) but found '2'"),
    (
        "int(int(int(x, x, 0, 1), y, 0, 1), z, 0, 1) > 1",
        9,
        "integrals are nested too deeply; at most 2 are allowed within each other",
    ),
    # quantifiers
    ("x in [0, 1]: x > 1", 1, "expected 'forall' or 'exists' before a variable and its interval"),
    ("forall x [0, 1]: x > 1", 10, "expected 'in' and an interval, as in 'x in [0, 1]' but found '['"),
    ("forall 1 in [0, 1]: x > 1", 8, "expected a variable after 'forall' but found '1'"),
    ("forall x in 1: x > 1", 13, "expected an interval such as [0, 1], or 'domain', but found '1'"),
    ("forall x in [0, 1] x > 1", 20, "expected ':' before the statement but found 'x'"),
    ("forall x in [0 1]: x > 1", 16, "expected ',' between the ends of the interval but found '1'"),
    ("forall x in [0, 1: x > 1", 18, "expected ']' or ')' to close the interval but found ':'"),
    ("forall x in [1, 0]: x > 1", 13, "the interval [1, 0] is empty"),
    ("forall x in [1, 1): x > 1", 13, "the interval [1, 1) is empty"),
    (
        "forall x in [0, y]: x > 1",
        17,
        "the ends of an interval must be constant, but y is a column; state the bound as a premise",
    ),
    ("forall x in [0, f]: x > 1", 17, "the ends of an interval must be constant, but this is the law"),
    ("forall x in [0, log(-1)]: x > 1", 13, "an end of the interval [0, log(-1)] is not a number"),
    ("forall z in domain: z > 1", 13, "z is no column, so it has no domain; write z in [a, b]"),
    ("forall T in [0, 1]: T > 1", 8, "cannot use T as a variable: T is the law"),
    ("forall c in [0, 1]: c > 1", 8, "cannot use c as a variable: c is a named constant"),
    ("forall pi in [0, 1]: f > 1", 8, "cannot use pi as a variable: pi is a known constant, not a free name"),
    ("forall x in [0, 1]: exists x in [0, 1]: f > 1", 28, "x is quantified already; choose another name"),
]


@pytest.mark.parametrize(("text", "column", "message"), MESSAGES, ids=[text or "empty" for text, _, _ in MESSAGES])
def test_messages(text: str, column: int, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        sentence(text)
    assert str(caught.value) == (
        f"cannot read the rule at line 1, column {column}: {message}\n    {text}\n    {' ' * (column - 1)}^"
    )


def test_messages_name_the_line_and_show_a_part_of_long_ones() -> None:
    with pytest.raises(FormulaError) as caught:
        sentence("forall x in [0, 1]:\n  x >\ty +\n  q implies x > 1")
    assert str(caught.value) == (
        "cannot read the rule at line 3, column 3: unknown name 'q'; known are x, y, c, T, f and pi\n"
        "      q implies x > 1\n      ^"
    )
    with pytest.raises(FormulaError) as caught:
        sentence(" + ".join(["x"] * 100) + " + zz > 1")
    assert str(caught.value).splitlines()[1:] == ["    " + "x + " * 10 + "zz > 1", "    " + 40 * " " + "^"]


def test_limits() -> None:
    with pytest.raises(
        FormulaError, match=f"the rule has {MAX_LENGTH + 1} characters; at most {MAX_LENGTH} are allowed"
    ):
        sentence("x" * (MAX_LENGTH + 1))
    for text in (
        "(" * 5000,
        "-" * 5000 + "x",
        "not " * 2000,
        "x**" * 3000 + "x",
        "f(" * 3000,
        "sqrt(" * 1500,
        "x > 1 implies " * 500,
        "forall z in [0, 1]: " * 400,
        "int(" * 2000,
    ):
        with pytest.raises(FormulaError, match=f"nested too deeply; at most|{MAX_NESTING} levels|quantified already"):
            sentence(text)
    long = sentence(" + ".join(["x"] * 2400) + " > 1 and " + " and ".join(["x > 1"] * 20))
    assert sentence(str(long)) == long
    with pytest.raises(
        FormulaError, match=r"the rule has 4 blocks of 'forall' and 'exists' within each other; at most 3 "
    ):
        sentence("forall a in [0, 1]: exists b in [0, 1]: forall g in [0, 1]: exists h in [0, 1]: a > b")
    names = ", ".join(f"z{k}" for k in range(17))
    with pytest.raises(FormulaError, match=r"at most 16 variables can be quantified"):
        sentence(f"forall {names} in [0, 1]: z1 > 0")
    with pytest.raises(FormulaError, match=r"a rule must be text, got int"):
        sentence(3)  # type: ignore[arg-type]


SEEDS = [
    "forall x in [0,1], y in [0,1]: x > y implies f(x,y) > f(y,x)",
    "forall L in [0.1, 10], g in [1, 20]: T(4*L, g) > T(L, g)",
    "exists x in [0, 5]: f(x=1) = 0",
    "not (x > 1 and y <= 2) or 0 <= f(x, y) < 1 iff d2f/dxdy(2*x, y)**2 != 1/x",
    "int(f*z, z, 0, 2*c) >= -1e-3 and (forall z in (-inf, 2*pi]: exists w in domain: sqrt(abs(z)) > w)",
]
PIECES = [
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    " ",
    "f",
    "df/dx",
    "d2T/dx2",
    "int(",
    "forall x in [0, 1]:",
    "exists",
    " and ",
    " or ",
    " not ",
    " implies ",
    " iff ",
    "<",
    "=",
    ">=",
    "!=",
    "1",
    "0.5",
    "1e9",
    "-",
    "*",
    "**",
    "/",
    "+",
    "x",
    "y",
    "inf",
    "domain",
    "pi",
    "\n",
    "é",
    "∀",
    "\0",
    "$",
    "in",
    ".",
    "..",
    "->",
]


def test_mutated_sentences_give_a_sentence_or_a_message() -> None:
    rng = random.Random(5)
    read = 0
    for _ in range(10_000):
        text = rng.choice(SEEDS)
        for _ in range(rng.randint(1, 4)):
            at, length = rng.randrange(len(text) + 1), rng.choice([0, 0, 1, 3, 10])
            part = rng.choice(SEEDS)[rng.randrange(30) :][: rng.randrange(30)]
            piece = rng.choice([*PIECES, part, chr(rng.randrange(1, 0x3000))])
            text = text[:at] + rng.choice([1, 1, 1, 50]) * piece + text[at + length :]
        start = time.process_time()
        try:
            rng.choice([sentence, read_logic])(text)
            read += 1
        except FormulaError as e:
            assert str(e), text
        # Milliseconds; the limit leaves room for a busy machine.
        assert time.process_time() - start < 2.0, text
    assert read > 150


def test_equality_and_hash_ignore_spacing() -> None:
    assert sentence("x>1") == sentence(" x > 1 ")
    assert {sentence("x>1"), sentence(" x > 1 ")} == {sentence("x > 1")}
    assert math.isinf(sentence("forall x in [0, inf]: x > 1").statement.over[0][1].high.value)  # type: ignore[union-attr]
    assert syntax.operands(sentence("x > 1").statement) == ()
