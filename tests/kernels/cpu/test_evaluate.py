"""The evaluation kernels: every operator against mpmath, whole formulas against a tree walker on the math module."""

import math
import random
from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from hypo.expression.expr import Expression
from hypo.expression.operators import OPERATORS, OperatorRow
from hypo.expression.parser import parse
from hypo.expression.program import evaluate as evaluate_expression
from hypo.kernels.cpu.evaluate import BLOCK, evaluate, value_and_gradient
from hypo.kernels.opcodes import ADD, CONST, EXP, FIRST_UNARY, LOG, MUL, N_OPCODE, POW, VAR, arity, is_user_defined
from tests.oracles.operators import BY_NAME, EDGES
from tests.oracles.reference import evaluate as walk
from tests.oracles.reference import random_tree

mpmath.mp.prec = 120

TABLE = pytest.mark.parametrize("row", OPERATORS, ids=lambda row: row.name)
ULP = 4  # largest error of one operator, in units in the last place


def run(op: list[int], arg: list[int], X: np.ndarray, const: tuple[float, ...] = ()) -> np.ndarray:
    """Values of one program by the batch kernel."""
    out = np.full((1, X.shape[1]), -77.0)
    evaluate(
        np.array(op, np.int32),
        np.array(arg, np.int32),
        np.array([0, len(op)]),
        np.array(const, np.float64),
        np.zeros(1, np.int64),
        np.ascontiguousarray(X, np.float64),
        out,
    )
    return out[0]


def apply(row: OperatorRow, *args: np.ndarray) -> np.ndarray:
    """The operator on columns."""
    return run([VAR] * row.arity + [row.opcode], [*range(row.arity), 0], np.array(args, np.float64))


def random_points(row: OperatorRow, n: int) -> np.ndarray:
    """Arguments ``(arity, n)`` of mixed signs and sizes, those outside the domain redrawn."""
    rng = np.random.default_rng(row.opcode)
    inside = BY_NAME[row.name].domain.has
    points: list[tuple[float, ...]] = []
    while len(points) < n:
        scale = 10.0 ** rng.uniform(-6, 2, row.arity)
        p = tuple(float(a) for a in rng.choice([-1.0, 1.0], row.arity) * scale)
        if row.name == "**":
            p = (p[0], float(rng.integers(-6, 7))) if rng.random() < 0.3 else (abs(p[0]), 3 * math.tanh(p[1]))
        if "<= 1" in row.domain:
            p = (math.tanh(p[0]),)
        if inside(*p):
            points.append(p)
    return np.array(points).T


def ulps(got: float, exact: mpmath.mpf) -> float:
    """Distance in units in the last place of the exact value."""
    if not math.isfinite(got):
        return math.inf
    near = float(exact)
    unit = max(math.ulp(near), 5e-324)
    return float(abs(mpmath.mpf(got) - exact) / unit)


# --- one operator -----------------------------------------------------------------------------------------------


def test_table_and_kernels_know_the_same_operators() -> None:
    assert {row.opcode for row in OPERATORS} == {c for c in range(FIRST_UNARY, N_OPCODE) if not is_user_defined(c)}
    assert all(arity(row.opcode) == row.arity for row in OPERATORS)


@TABLE
def test_random_points_against_mpmath(row: OperatorRow) -> None:
    points = random_points(row, 1000)
    got = apply(row, *points)
    worst = max(ulps(g, BY_NAME[row.name].exact(*map(mpmath.mpf, p))) for g, p in zip(got, points.T, strict=True))
    assert worst <= ULP


@TABLE
def test_edges_against_mpmath_and_nan_outside_the_domain(row: OperatorRow) -> None:
    edges = np.array(EDGES)
    grid = edges[None, :] if row.arity == 1 else np.array([a.ravel() for a in np.meshgrid(edges, edges)])
    got = apply(row, *grid)
    inside = BY_NAME[row.name].domain.has
    seen = set()
    for g, p in zip(got, grid.T, strict=True):
        point = tuple(map(float, p))
        if not inside(*point):
            seen.add("outside")
            assert math.isnan(g), (point, g)
            continue
        if row.name == "**" and point[1] != 0 and abs(point[1] * math.log(abs(point[0]) or 1)) > 1e4:
            assert g in (0.0, math.inf, -math.inf), (point, g)
            continue
        exact = BY_NAME[row.name].exact(*map(mpmath.mpf, point))
        if abs(exact) > np.finfo(float).max:
            seen.add("overflow")
            assert abs(g) == math.inf and (g > 0) == (exact > 0), (point, g)
        else:
            assert ulps(g, exact) <= ULP, (point, g, exact)
    assert ("outside" in seen) == (row.domain not in ("all", "cos(u) != 0"))


@TABLE
def test_nan_in_any_argument_gives_nan(row: OperatorRow) -> None:
    fine = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, math.inf])
    for place in range(row.arity):
        args = [fine.copy() for _ in range(row.arity)]
        args[place][:] = np.nan
        assert np.isnan(apply(row, *args)).all()


POLES = ("1/(1/x)", "exp(-1/x**2)", "exp(log(x))", "atan(1/x)", "min(1/x, 3)", "0*(1/x)", "x/x", "1/x**(-1)")


@pytest.mark.parametrize("text", POLES)
def test_a_pole_inside_stays_invalid(text: str) -> None:
    got = evaluate_expression(parse(text), np.array([[0.0], [1.0]]), ["x"])
    assert np.isnan(got[0]) and np.isfinite(got[1])


def test_overflow_is_infinite_and_shown_as_nan() -> None:
    x = Expression.variable("x")
    e = Expression.apply("exp", x)
    assert run([VAR, e.root], [0, 0], np.array([[1000.0]]))[0] == math.inf
    assert np.isnan(evaluate_expression(e, np.array([[1000.0]]), ["x"])[0])
    assert evaluate_expression(Expression.apply("inv", e), np.array([[1000.0]]), ["x"])[0] == 0.0


# --- random formulas --------------------------------------------------------------------------------------------

NAMES = ("x", "y", "z")


def random_formulas(seed: int, count: int, largest: int, *, free: bool = False) -> list[Expression]:
    """Formulas of up to ``largest`` nodes, with constants of both signs, no two alike."""
    rng = random.Random(seed)
    leaves = [*map(Expression.variable, NAMES * 2), *[Expression.constant(1.0, free=free)] * 3]
    trees = (random_tree(rng, rng.randint(1, largest), leaves, Expression.apply) for _ in range(count))
    return [e.with_values([round(rng.uniform(-4, 4), 3) for _ in e.constants]) for e in trees]


def test_agrees_with_a_tree_walker_on_2000_formulas() -> None:
    rng = np.random.default_rng(20)
    rows = [dict(zip(NAMES, rng.uniform(-3, 3, 3).tolist(), strict=True)) for _ in range(12)]
    X = np.array([[r[n] for n in NAMES] for r in rows])
    compared = invalid = 0
    for e in random_formulas(20, 2000, 24):
        got = evaluate_expression(e, X, NAMES)
        for g, r in zip(got, rows, strict=True):
            seen: list[float] = []
            want = walk(e, r, seen)
            # Beyond this an argument's last digit moves a sine by more than the tolerance: nothing to compare.
            if any(abs(s) > 1e4 for s in seen):
                continue
            if math.isnan(want):
                invalid += 1
                assert math.isnan(g), (str(e), r, g)
            else:
                compared += 1
                assert g == pytest.approx(want, rel=1e-12, abs=1e-12), (str(e), r)
    assert compared > 10_000 and invalid > 1000


# --- shapes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_row", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 1000])
def test_rows_are_independent_of_block_borders(n_row: int) -> None:
    rng = np.random.default_rng(n_row)
    X = rng.uniform(-2, 2, (n_row, 3))
    e = parse("sin(x*c) + y/cosh(z)", variables=NAMES).with_values([1.7])
    got = evaluate_expression(e, X, NAMES)
    want = np.sin(X[:, 0] * 1.7) + X[:, 1] / np.cosh(X[:, 2])
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14)

    op, arg = e.arrays(NAMES)
    out, grad = np.full(n_row, 9.0), np.full((1, n_row), 9.0)
    value_and_gradient(op, arg, e.values, np.ascontiguousarray(X.T), out, grad)
    np.testing.assert_array_equal(out, got)
    np.testing.assert_allclose(grad[0], X[:, 0] * np.cos(X[:, 0] * 1.7), rtol=1e-13, atol=1e-14)


def test_no_rows_and_no_programs() -> None:
    assert run([VAR], [0], np.empty((1, 0))).shape == (0,)
    out = np.empty((0, 5))
    evaluate(
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        np.array([0]),
        np.empty(0),
        np.empty(0, np.int64),
        np.ones((1, 5)),
        out,
    )


@pytest.mark.parametrize("n_row", [1, BLOCK, BLOCK + 1])
def test_a_batch_gives_what_its_programs_give_one_by_one(n_row: int) -> None:
    rng = np.random.default_rng(3)
    expressions = random_formulas(3, 150, 40, free=True)
    X = np.ascontiguousarray(rng.uniform(-3, 3, (3, n_row)))
    arrays = [e.arrays(NAMES) for e in expressions]
    start = np.cumsum([0, *(len(op) for op, _ in arrays)])
    const_start = np.cumsum([0, *(len(e.constants) for e in expressions)])[:-1]
    out = np.empty((len(expressions), n_row))
    evaluate(
        np.concatenate([op for op, _ in arrays]),
        np.concatenate([arg for _, arg in arrays]),
        start,
        np.concatenate([e.values for e in expressions]),
        const_start,
        X,
        out,
    )
    for e, (op, arg), line in zip(expressions, arrays, out, strict=True):
        np.testing.assert_array_equal(line, run(list(op), list(arg), X, tuple(e.values)))


# --- gradients --------------------------------------------------------------------------------------------------


def slope(f: Callable[[float], float], c: float) -> tuple[float, float]:
    """Central difference, once extrapolated (h and h/2), and an estimate of its error."""
    h = 1e-3 * max(1e-2, abs(c))
    wide = (f(c + h) - f(c - h)) / (2 * h)
    narrow = (f(c + h / 2) - f(c - h / 2)) / h
    return (4 * narrow - wide) / 3, abs(narrow - wide)


@TABLE
def test_operator_gradient_against_central_differences(row: OperatorRow) -> None:
    rng = np.random.default_rng(100 + row.opcode)
    inside = BY_NAME[row.name].domain.has
    op = np.array([CONST] * row.arity + [row.opcode], np.int32)
    arg = np.array([*range(row.arity), 0], np.int32)
    X = np.zeros((1, 1))
    checked = 0
    while checked < 60:
        lo, hi = (0.05, 0.95) if "<= 1" in row.domain or row.name == "**" else (-3, 3)
        c = rng.uniform(lo, hi, row.arity)
        if not inside(*c) or np.abs(c).min() < 0.05 or (row.arity == 2 and abs(c[0] - c[1]) < 0.05):
            continue
        if row.name == "tan" and abs(math.cos(c[0])) < 0.1:
            continue
        out, grad = np.empty(1), np.empty((row.arity, 1))
        value_and_gradient(op, arg, c, X, out, grad)
        for k in range(row.arity):

            def f(t: float, k: int = k, c: np.ndarray = c) -> float:
                args = [float(t if j == k else c[j]) for j in range(row.arity)]
                return float(BY_NAME[row.name].plain(*args))

            want, _ = slope(f, float(c[k]))
            assert grad[k, 0] == pytest.approx(want, rel=1e-6, abs=1e-8), (row.name, c, k)
        checked += 1


def test_power_of_a_negative_base_has_its_slope_in_the_base() -> None:
    # d/dc c**3 at -2; the slope in the exponent does not exist there.
    op, arg = np.array([CONST, VAR, POW], np.int32), np.array([0, 0, 0], np.int32)
    out, grad = np.empty(1), np.empty((1, 1))
    value_and_gradient(op, arg, np.array([-2.0]), np.array([[3.0]]), out, grad)
    assert (out[0], grad[0, 0]) == (-8.0, 12.0)


def test_power_of_zero_has_slope_zero_in_a_positive_exponent() -> None:
    op, arg = np.array([VAR, CONST, POW], np.int32), np.array([0, 0, 0], np.int32)
    out, grad = np.empty(1), np.empty((1, 1))
    value_and_gradient(op, arg, np.array([1.5]), np.array([[0.0]]), out, grad)
    assert (out[0], grad[0, 0]) == (0.0, 0.0)


def test_gradients_of_random_formulas_against_central_differences() -> None:
    rng = np.random.default_rng(8)
    X = np.ascontiguousarray(rng.uniform(0.3, 2.5, (3, 5)))
    checked = 0
    for e in random_formulas(8, 700, 14, free=True):
        if not e.constants:
            continue
        op, arg = e.arrays(NAMES)
        c = e.values
        out, grad = np.empty(5), np.empty((len(c), 5))
        value_and_gradient(op, arg, c, X, out, grad)
        np.testing.assert_array_equal(out, run(list(op), list(arg), X, tuple(c)))
        for k in range(len(c)):
            for i in range(5):

                def f(
                    t: float, k: int = k, i: int = i, c: np.ndarray = c, op: np.ndarray = op, arg: np.ndarray = arg
                ) -> float:
                    shifted = c.copy()
                    shifted[k] = t
                    return float(run(list(op), list(arg), X[:, i : i + 1], tuple(shifted))[0])

                with np.errstate(all="ignore"):
                    want, error = slope(f, float(c[k]))
                # Kinks, poles and steep places within the step have no usable difference.
                smooth = error < 1e-4 * (1e-3 + abs(want))
                if not (math.isfinite(want) and smooth and abs(out[i]) < 1e3 and abs(want) < 1e5):
                    continue
                checked += 1
                assert grad[k, i] == pytest.approx(want, rel=1e-5, abs=1e-7 * (1 + abs(out[i]))), (str(e), k, i)
    assert checked > 1500


def test_leaves_that_share_a_constant_add_their_gradients() -> None:
    # c*x + exp(c) + c**c, one slot for all four leaves
    op = np.array([CONST, VAR, MUL, CONST, EXP, ADD, CONST, CONST, POW, ADD], np.int32)
    arg = np.zeros(10, np.int32)
    x, c = np.linspace(0.5, 2.0, 7), 1.3
    out, grad = np.empty(7), np.empty((1, 7))
    value_and_gradient(op, arg, np.array([c]), x[None, :].copy(), out, grad)
    np.testing.assert_allclose(out, c * x + math.exp(c) + c**c, rtol=1e-14)
    np.testing.assert_allclose(grad[0], x + math.exp(c) + c**c * (math.log(c) + 1), rtol=1e-13)


def test_gradient_beside_an_invalid_part_without_constants() -> None:
    # log(x) is NaN in the first row only; the gradient of the others must not see it.
    op = np.array([VAR, LOG, CONST, MUL], np.int32)
    out, grad = np.empty(3), np.empty((1, 3))
    value_and_gradient(op, np.zeros(4, np.int32), np.array([2.0]), np.array([[-1.0, 1.0, math.e]]), out, grad)
    np.testing.assert_array_equal(np.isnan(out), [True, False, False])
    np.testing.assert_allclose(grad[0, 1:], [0.0, 1.0], atol=1e-15)
