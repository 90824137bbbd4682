"""Operators that users define: in formulas, derivatives, proofs, fits, files and other processes."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.expression import operators as ops
from hypo.expression import user_operators
from hypo.expression.algebra.simplify import simplify
from hypo.expression.analysis.derivative import derivative
from hypo.expression.analysis.dimension import infer
from hypo.expression.analysis.identity import is_identity
from hypo.expression.analysis.intervals import enclose
from hypo.expression.program import Program, evaluate
from hypo.expression.sympy_bridge import from_sympy
from hypo.kernels.cpu import enumerate as kernel
from hypo.parallel.processes import Processes
from hypo.units import DIMENSIONLESS, Dimension
from tests.oracles.installed import install

X = np.linspace(-1.5, 1.5, 31)
METRE = Dimension([1])


def bump(u: float) -> float:
    return math.exp(-u * u)


def bump_slope(u: float) -> float:
    return -2.0 * u * math.exp(-u * u)


def root_of_log(u: float) -> float:
    return math.sqrt(math.log(u))


def leaky(u: float) -> float:
    return u if u > 0 else 0.1 * u


def bump_bounds(lo, hi):
    sizes = np.abs(lo), np.abs(hi)
    least = np.where((lo <= 0) & (hi >= 0), 0.0, np.minimum(*sizes))
    return np.exp(-(np.maximum(*sizes) ** 2)), np.exp(-(least**2))


@pytest.fixture(autouse=True)
def codes_of_their_own() -> Iterator[None]:
    """Codes that a test's operators had are free for the next: a process has 16, for all tests that it runs. What was
    derived of formulas with these codes is forgotten too."""
    before = user_operators._used
    yield
    user_operators._used = before
    for name, module in list(sys.modules.items()):
        if name.startswith(("hypo.expression.", "hypo.knowledge.claims.")):
            for value in vars(module).values():
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()


@pytest.fixture(scope="module")
def op() -> Iterator[hypo.Operator]:
    made = hypo.Operator("bump", bump, bump_slope)
    yield made
    made.forget()


@pytest.fixture(scope="module")
def bounded() -> Iterator[hypo.Operator]:
    made = hypo.Operator("bell", bump, bump_slope, interval=bump_bounds)
    yield made
    made.forget()


@pytest.fixture(scope="module")
def same() -> Iterator[hypo.Operator]:
    made = hypo.Operator("leaky", leaky, lambda u: 1.0 if u > 0 else 0.1, dimension="same")
    yield made
    made.forget()


def values(text: str) -> np.ndarray:
    return evaluate(hypo.parse(text), X[:, None], ["x"])


def table(n: int = 120) -> pd.DataFrame:
    x = np.random.default_rng(3).uniform(-1, 1, n)
    return pd.DataFrame({"x": x, "y": 2 * np.exp(-9 * x * x) + 1})


# --- formulas ---------------------------------------------------------------------------------------------------------


def test_values_in_double_and_single_precision(op: hypo.Operator) -> None:
    np.testing.assert_allclose(values("2*bump(3*x) + 1"), 2 * np.exp(-9 * X**2) + 1, rtol=1e-14)
    from hypo.kernels.cpu.operators import unary_adjoint, unary_block

    code = ops.BY_NAME["bump"].opcode
    for kind, error in ((np.float64, 1e-15), (np.float32, 1e-6)):
        u, out, slope = X.astype(kind), np.empty(31, kind), np.empty(31, kind)
        unary_block(code, u, out, 31)
        unary_adjoint(code, u, out, np.ones(31, kind), slope, 31)
        np.testing.assert_allclose(out, np.exp(-(X**2)), rtol=error)
        np.testing.assert_allclose(slope, -2 * X * np.exp(-(X**2)), rtol=10 * error, atol=10 * error)


def test_gradients_in_constants(op: hypo.Operator) -> None:
    program = Program.of(hypo.parse("a*bump(b*x)", variables=["x"]), ["x"])
    value, gradient = program.value_and_gradient(X[None], np.array([2.0, 1.5]))
    u = 1.5 * X
    np.testing.assert_allclose(value, 2 * np.exp(-u * u), rtol=1e-14)
    np.testing.assert_allclose(gradient, [np.exp(-u * u), -4 * u * X * np.exp(-u * u)], rtol=1e-12, atol=1e-14)


def test_it_is_nan_where_the_function_has_no_value() -> None:
    made = hypo.Operator("root_of_log", root_of_log, lambda u: 0.5 / (u * math.sqrt(math.log(u))))
    try:
        found = evaluate(hypo.parse("exp(-root_of_log(x))"), np.array([[-1.0], [0.0], [0.5], [2.0]]), ["x"])
    finally:
        made.forget()
    np.testing.assert_allclose(found, [np.nan, np.nan, np.nan, math.exp(-math.sqrt(math.log(2)))], rtol=1e-14)


def test_poles_and_exceptions_are_nan() -> None:
    def strict(u: float) -> float:
        if u < 0:
            raise ValueError("negative")
        return 1 / u

    made = hypo.Operator("strict", strict, lambda u: -1 / (u * u))
    try:
        found = evaluate(hypo.parse("1/strict(x)"), np.array([[-1.0], [0.0], [4.0]]), ["x"])
    finally:
        made.forget()
    np.testing.assert_array_equal(found, [np.nan, np.nan, 4.0])


def test_printed_forms_and_back(op: hypo.Operator) -> None:
    e = hypo.parse("2*bump(3*x)**2 + 1")
    assert str(e) == e.pretty() == "2*bump(3*x)**2 + 1" and hypo.parse(str(e)) == e
    assert r"\operatorname{bump}\left(3 \cdot x\right)" in e.latex()
    assert e.numpy_source().splitlines()[-3:] == [
        "# It calls bump, which must take arrays.", "def f(x):", "    return 2.0*bump(3.0*x)**2 + 1.0"
    ]  # fmt: skip
    assert from_sympy(e.sympy()) == e
    symbol = next(iter(e.sympy().free_symbols))
    assert str(hypo.parse("bump(3*x)").sympy().diff(symbol)) == "3*bump_slope(3*x)"


def test_derivatives(op: hypo.Operator) -> None:
    first = derivative(hypo.parse("2*bump(3*x)"), "x")
    assert str(first) == "6*bump_slope(3*x)"
    np.testing.assert_allclose(evaluate(first, X[:, None], ["x"]), -36 * X * np.exp(-9 * X**2), rtol=1e-13, atol=1e-15)
    second = evaluate(derivative(first, "x"), X[:, None], ["x"])
    np.testing.assert_allclose(second, (648 * X**2 - 36) * np.exp(-9 * X**2), rtol=1e-5, atol=1e-6)


def test_a_derivative_may_be_an_operator() -> None:
    curve = hypo.Operator(
        "bump_b", lambda u: (4 * u * u - 2) * math.exp(-u * u), lambda u: (12 - 8 * u * u) * u * math.exp(-u * u)
    )
    slope = hypo.Operator("bump_a", bump_slope, curve)
    made = hypo.Operator("bump_0", bump, slope)
    try:
        assert str(derivative(derivative(hypo.parse("bump_0(x)"), "x"), "x")) == "bump_b(x)"
    finally:
        for each in (made, slope, curve):
            each.forget()


def test_simplification_and_identities(op: hypo.Operator) -> None:
    assert str(simplify(hypo.parse("bump(x + x) + bump(2*x)"))) == "2*bump(2*x)"
    assert is_identity(hypo.parse("bump(x*y)/bump(y*x)"), hypo.parse("1"))
    assert not is_identity(hypo.parse("bump(x)"), hypo.parse("bump(-x)"))


# --- what can be proved -----------------------------------------------------------------------------------------------


def test_without_bounds_nothing_is_proved(op: hypo.Operator) -> None:
    found = enclose(hypo.parse("bump(x)"), {"x": (0.0, 1.0)})
    assert (found.lo, found.hi, found.defined) == (-np.inf, np.inf, False)


def test_bounds_hold(bounded: hypo.Operator) -> None:
    found = enclose(hypo.parse("2*bell(x) + 1"), {"x": (np.array([-1.0, 0.5]), np.array([2.0, 1.0]))})
    assert np.all(found.defined)
    np.testing.assert_allclose(found.lo, [1 + 2 * math.exp(-4), 1 + 2 * math.exp(-1)], rtol=1e-12)
    np.testing.assert_allclose(found.hi, [3, 1 + 2 * math.exp(-0.25)], rtol=1e-12)
    assert np.all(found.lo <= 1 + 2 * np.exp([-4.0, -1.0])) and np.all(found.hi >= 1 + 2 * np.exp([0.0, -0.25]))


def test_dimensions(op: hypo.Operator, same: hypo.Operator) -> None:
    assert infer(hypo.parse("bump(x)"), {"x": METRE}).inconsistent == 1
    assert infer(hypo.parse("bump(x/y)"), {"x": METRE, "y": METRE}).dimension == DIMENSIONLESS
    assert infer(hypo.parse("leaky(x)"), {"x": METRE}).dimension == METRE
    for name, of_a_length in (("bump", int(kernel.INVALID)), ("leaky", 12)):
        code = ops.BY_NAME[name].opcode
        assert kernel.unary_dimension(code, np.int64(0), 10, 6) == 0
        assert kernel.unary_dimension(code, np.int64(12), 10, 6) == of_a_length


def of_numbers_only(dimension: Dimension) -> Dimension:
    if dimension.is_dimensionless:
        return dimension
    raise KeyError("no such case")


def of_text(dimension: Dimension) -> object:
    return dimension if dimension.is_dimensionless else "metre"


@pytest.mark.parametrize(("rule", "reason"), [(of_numbers_only, "'no such case'"), (of_text, "it returned 'metre'")])
def test_a_rule_of_dimensions_that_fails(rule, reason: str) -> None:
    made = hypo.Operator("odd", bump, bump_slope, dimension=rule)
    with pytest.raises(hypo.InputError, match=rf"^the dimension function of the operator odd must .* {reason}$"):
        infer(hypo.parse("odd(x)"), {"x": METRE})
    made.forget()


def test_a_rule_of_dimensions() -> None:
    def rule(d: Dimension) -> Dimension:
        if d not in (DIMENSIONLESS, METRE):
            raise ValueError
        return d * d

    made = hypo.Operator("area", lambda u: math.pi * u * u, lambda u: 2 * math.pi * u, dimension=rule)
    try:
        assert infer(hypo.parse("area(x)"), {"x": METRE}).dimension == METRE**2
        report = infer(hypo.parse("area(x*x)"), {"x": METRE})
        assert report.messages == (
            "in area(x*x), its argument has the dimension m^2, which the operator does not take",
        )
        code = ops.BY_NAME["area"].opcode
        assert kernel.unary_dimension(code, np.int64(12), 10, 6) == kernel.INVALID
    finally:
        made.forget()


# --- fits -------------------------------------------------------------------------------------------------------------


def test_a_fit_finds_it(op: hypo.Operator) -> None:
    result = hypo.fit(table(), target="y", operators=["+", "*", op], time_limit=60, workers=1)
    assert result.status == "exact" and str(result.expression) == "2*bump(3*x) + 1"
    text = result.to_json()
    assert '"user_operators": [\n    "bump"\n  ]' in text


def test_a_fit_with_other_operators_knows_nothing_of_it(op: hypo.Operator) -> None:
    result = hypo.fit(table(), target="y", operators="+,*,exp,square,neg", time_limit=5, workers=1)
    assert "bump" not in result.to_json()


def test_guesses_and_scores(op: hypo.Operator) -> None:
    scored = hypo.score("a*bump(b*x) + c", table(), target="y")
    np.testing.assert_allclose(sorted(abs(c.value) for c in scored.constants), [1, 2, 3], rtol=1e-6)


def test_estimators_take_it(op: hypo.Operator) -> None:
    from sklearn.base import clone

    model = clone(hypo.SymbolicRegressor(operators=["+", "*", op], time_limit=60, random_state=0))
    data = table()
    assert model.fit(data[["x"]], data["y"]).score(data[["x"]], data["y"]) > 0.9999


def test_other_backends_say_that_they_do_not_know_it(op: hypo.Operator) -> None:
    from hypo.search.gpu.devices import require_known_operators

    require_known_operators(("+", "bump"), "native")
    require_known_operators(("+", "sin"), "cuda")
    with pytest.raises(
        hypo.InputError, match="the backend cuda does not know the operator bump, which is defined in Python"
    ):
        require_known_operators(("+", "bump"), "cuda")


# --- files and processes ----------------------------------------------------------------------------------------------


def test_results_name_what_they_need(op: hypo.Operator, tmp_path) -> None:
    hypo.fit(table(), target="y", operators=["+", "*", op], time_limit=60, workers=1, posterior=False).save(
        tmp_path / "out"
    )
    assert str(hypo.Result.load(tmp_path / "out").expression) == "2*bump(3*x) + 1"
    script = f"import hypo; hypo.Result.load({str(tmp_path / 'out')!r})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1].endswith(
        'result.json: it needs the operator bump, which is not defined: make it known with hypo.Operator("bump", …) first, '
        "or install the package that offers it"
    )


def test_copies_and_pickles(op: hypo.Operator) -> None:
    e = hypo.parse("2*bump(3*x) + 1")
    assert _sent(e) == e and copy.deepcopy(e) == e
    assert copy.deepcopy(op) is op and repr(_sent(op)) == "<Operator bump>"
    script = f"import pickle; pickle.loads({pickle.dumps(e)!r})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "FormulaError: it needs the operator bump, which is not defined" in run.stderr


def _sent(thing):
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


def test_processes_know_it_by_the_same_code(op: hypo.Operator, bounded: hypo.Operator) -> None:
    e = hypo.parse("bell(bump(x)) + bump(x)")
    with Processes(1) as pool:
        codes = np.array(next(iter(pool.map(_codes, [e]))))
    assert [tuple(c) for c in codes] == list(e.code)


def _codes(e: hypo.Expression) -> list[tuple[int, int]]:
    assert np.all(np.isfinite(Program.of(e, ("x",)).value(X[None])))
    return list(e.code)


# --- errors -----------------------------------------------------------------------------------------------------------


def unfinished(u: float) -> float:
    return nowhere(u)  # type: ignore[name-defined] # noqa: F821


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (("sin", bump, bump_slope), {}, "the operator name sin is taken"),
        (("bump", math.sin, math.cos), {}, "the operator name bump is taken by another function"),
        (("bump_slope", math.sin, math.cos), {}, "the operator name bump_slope is taken"),
        (("two words", bump, bump_slope), {}, "an operator's name must be an identifier"),
        (("pi", bump, bump_slope), {}, "an operator's name must be an identifier"),
        (("other", lambda u, v: u, bump_slope), {}, "the operator other must take one argument, but it takes 2"),
        (("other", 3.0, bump_slope), {}, "the function of the operator other must be a function"),
        (("other", unfinished, bump_slope), {}, "the function of the operator other cannot be compiled by numba: .*nowhere"),
        (("other", bump, bump), {}, "the derivative of the operator other disagrees with its function: at "),
        (("other", lambda u: math.sqrt(-1 - u * u), bump), {}, "the function of the operator other has no value at any"),
        (("other", bump, bump_slope), {"dimension": "same"}, 'the operator other cannot have the dimension "same"'),
        (("other", bump, bump_slope), {"dimension": "metre"}, 'must be None, "same" or a function'),
        (("other", bump, bump_slope), {"dimension": lambda a, b: a}, "dimension function of the operator other must take a"),
        (("other", bump, bump_slope), {"dimension": lambda a: 1}, "dimension function of the operator other must take a"),
        (("other", bump, bump_slope), {"latex": 3}, r"latex of the operator other must be a text with \{0\}"),
        (("other", bump, bump_slope), {"latex": r"\other"}, r"latex of the operator other must be a text with \{0\}"),
        (("other", bump, bump_slope), {"latex": r"\frac{a}{0}"}, r"latex of the operator other must .* braces doubled"),
        (("other", lambda *u: u[0], bump_slope), {}, "must take one argument, but it takes any number"),
        (("other", lambda u: None, bump_slope), {}, "cannot be compiled by numba: it must return a float$"),
        (("other", lambda u: (u, u), bump_slope), {}, "cannot be compiled by numba: it must return a float$"),
        (("other", bump, bump_slope), {"latx": "g"}, r"Operator has no keyword latx; did you mean latex\?$"),
        (("other", bump, bump_slope), {"interval": lambda a, b: (a, b)}, "interval function of the operator other is wrong"),
        (("other", bump, bump_slope), {"interval": lambda a: a}, "the interval function of the operator other must take two"),
    ],
)  # fmt: skip
def test_errors_in_one_sentence(op: hypo.Operator, given, more, message: str) -> None:
    with pytest.raises(hypo.InputError, match=message) as error:
        hypo.Operator(*given, **more)
    assert "\n" not in str(error.value)
    assert "other" not in ops.BY_NAME


def test_the_same_definition_again_is_the_same_operator(op: hypo.Operator) -> None:
    again = hypo.Operator("bump", bump, bump_slope)
    assert ops.BY_NAME["bump"].opcode == hypo.parse("bump(x)").root and repr(again) == "<Operator bump>"


STRENGTH = 1.0


def strong(u: float) -> float:
    return STRENGTH * u


def strong_slope(u: float) -> float:
    return STRENGTH


def test_a_definition_with_another_constant_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = hypo.Operator("strong", strong, strong_slope)
    hypo.Operator("strong", strong, strong_slope)
    monkeypatch.setitem(globals(), "STRENGTH", 2.0)
    with pytest.raises(hypo.InputError, match="the operator name strong is taken by another function"):
        hypo.Operator("strong", strong, strong_slope)
    made.forget()


@pytest.mark.parametrize("given", [bump, np.sin])
def test_a_function_in_the_list_of_operators(given) -> None:
    with pytest.raises(hypo.InputError, match=r"make it an operator first, with hypo\.Operator\("):
        hypo.fit(table(), target="y", operators=["+", given])


def test_predictions_of_a_forgotten_operator_are_refused() -> None:
    made = hypo.Operator("gone", bump, bump_slope)
    result = hypo.fit(table(), target="y", operators=["+", "*", made], guesses=["2*gone(x) + 1"], time_limit=2)
    chosen = next(k for k, f in enumerate(result.front) if "gone" in str(f.expression))
    made.forget()
    with pytest.raises(hypo.InputError, match="define the operator again"):
        result.predict(table(), chosen)


def test_a_forgotten_operator_is_named_no_more() -> None:
    made = hypo.Operator("gone", bump, bump_slope)
    e = hypo.parse("gone(x)")
    made.forget()
    with pytest.raises(hypo.FormulaError, match="unknown function 'gone'"):
        hypo.parse("gone(x)")
    with pytest.raises(hypo.InputError, match=r"taken back with forget\(\).*define the operator again"):
        str(e)
    assert np.all(np.isnan(evaluate(e, X[:, None], ["x"])))


def test_a_wrong_number_of_arguments_in_a_formula(op: hypo.Operator) -> None:
    with pytest.raises(hypo.FormulaError, match="bump takes 1 argument, got 2"):
        hypo.parse("bump(x, y)")


# --- packages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch: pytest.MonkeyPatch):
    points = {"ripple": "waves_of_tests:ripple", "broken": "waves_of_tests:broken"}
    install(tmp_path, "waves", "1.2", {"hypo.operators": points})
    (tmp_path / "waves_of_tests.py").write_text(
        "import math, hypo\nripple = hypo.Operator('ripple', lambda u: math.sin(u)*u, "
        "lambda u: math.sin(u) + u*math.cos(u))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("waves_of_tests", None)
    if "ripple" in ops.BY_NAME:
        from hypo.expression.user_operators import defined_operators

        defined_operators()["ripple"].forget()


def test_packages_offer_operators_by_entry_point(package) -> None:
    assert "ripple" not in ops.BY_NAME
    np.testing.assert_allclose(values("ripple(x)"), X * np.sin(X), rtol=1e-14)
    with pytest.raises(
        hypo.InputError, match=r"operator broken of the package waves 1\.2 cannot be loaded: AttributeError"
    ):
        hypo.parse("broken(x)")
