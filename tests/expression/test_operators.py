"""Every row of the operator table: derivative, interval, dimension rule and domain against independent calculation.

The kernels' values and gradients are tested against the same table in kernels/cpu/test_evaluate.py.
"""

from __future__ import annotations

import math
import random

import mpmath
import pytest

from hypo.expression import Expression
from hypo.expression import operators as ops
from hypo.expression.analysis.derivative import derivative
from hypo.expression.analysis.dimension import infer
from hypo.expression.analysis.intervals import FUNCTIONS
from hypo.expression.parser import parse
from hypo.expression.sympy_bridge import from_sympy, to_sympy
from hypo.kernels import opcodes as oc
from hypo.units import DIMENSIONLESS, Dimension
from tests.oracles.operators import BY_NAME, EDGES
from tests.oracles.operators import ROWS as ORACLES
from tests.oracles.reference import apply, evaluate

ROWS = pytest.mark.parametrize("row", ops.OPERATORS, ids=lambda row: row.name)


def formula(row: ops.OperatorRow) -> Expression:
    return Expression.apply(row.name, *map(Expression.variable, "uv"[: row.arity]))


def points(row: ops.Operator, n: int = 200) -> list[dict[str, float]]:
    """Points inside the domain, where the value is moderate."""
    rng = random.Random(row.name)
    found = []
    for _ in range(n):
        point = {name: rng.uniform(*rng.choice([(-3, 3), (0.05, 1), (-1, 1)])) for name in "uv"[: row.arity]}
        if abs(apply(row.name, *point.values())) < 1e3:
            found.append(point)
    assert len(found) > n / 4
    return found


@ROWS
def test_the_tests_know_each_operator(row: ops.OperatorRow) -> None:
    oracle = BY_NAME[row.name]
    assert (row.opcode, row.arity, row.domain, row.exponent) == (
        oracle.opcode, oracle.arity, oracle.domain.text, oracle.power)  # fmt: skip


def test_table_agrees_with_the_codes_and_with_the_reference() -> None:
    assert {row.name for row in ORACLES} <= set(ops.BY_NAME)
    free = range(oc.FIRST_USER, oc.FIRST_USER + oc.N_USER)
    assert {row.opcode for row in ops.OPERATORS} == set(range(oc.FIRST_UNARY, oc.N_OPCODE)) - set(free)
    assert all(row.arity == oc.arity(row.opcode) for row in ops.OPERATORS)
    assert set(ops.ALIASES.values()) <= set(ops.BY_NAME)
    assert {row.interval for row in ops.OPERATORS} == set(FUNCTIONS)


@ROWS
def test_derivative_formulas_against_mpmath(row: ops.OperatorRow) -> None:
    assert len(row.derivative) == row.arity
    for point in points(row):
        names = list(point)
        for i, text in enumerate(row.derivative):
            full = {**point, "w": apply(row.name, *point.values())}
            stated = evaluate(parse(text), full)
            with mpmath.workdps(40):
                exact = mpmath.diff(
                    BY_NAME[row.name].exact,
                    tuple(mpmath.mpf(point[n]) for n in names),
                    n=tuple(int(k == i) for k in range(row.arity)),
                )
                if isinstance(exact, mpmath.mpc):
                    exact = exact.real
            if row.name == "**" and i == 1 and point["u"] <= 0:  # log(u) of a negative base: no derivative
                continue
            assert math.isclose(stated, float(exact), rel_tol=1e-9, abs_tol=1e-12), (text, point)


@ROWS
def test_derivatives_against_central_differences(row: ops.OperatorRow) -> None:
    e = formula(row)
    for name in e.variables:
        d = derivative(e, name)
        compared = 0
        for point in points(row):
            h = 1e-6 * max(1.0, abs(point[name]))
            up, down = (evaluate(e, {**point, name: point[name] + s * h}) for s in (1, -1))
            slope = (up - down) / (2 * h)
            stated = evaluate(d, point)
            if math.isnan(slope) or abs(slope) > 1e4 or math.isnan(stated):
                continue
            compared += 1
            assert math.isclose(stated, slope, rel_tol=2e-4, abs_tol=1e-6), (str(d), point)
        assert compared > 20


@ROWS
def test_domain_is_where_there_is_a_value(row: ops.OperatorRow) -> None:
    has_value = BY_NAME[row.name].domain.has
    rng = random.Random(row.name)
    numbers = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0] + [rng.uniform(-4, 4) for _ in range(20)]
    for u in numbers:
        for v in numbers if row.arity == 2 else (0.0,):
            arguments = (u, v)[: row.arity]
            assert math.isnan(apply(row.name, *arguments)) != has_value(*arguments), (u, v)


@ROWS
def test_intervals_enclose_values_at_edges(row: ops.OperatorRow) -> None:
    enclosure = FUNCTIONS[row.interval]
    for u in EDGES:
        for v in EDGES if row.arity == 2 else (0.0,):
            args = (u, v)[: row.arity]
            value = apply(row.name, *args)
            lo, hi, defined = enclosure(*((a, a) for a in args))
            if math.isnan(value):
                # Not defined as a real number, or too large for a float.
                assert not defined or math.isinf(hi) or math.isinf(lo) or max(-lo, hi) > 1e308, args
                continue
            assert lo <= value <= hi, args
            # A point's enclosure is tight; the tangent next to its pole is none.
            if 1e-290 < abs(value) < 1e290 and max(map(abs, args)) < 1e8 and row.name != "tan":
                assert hi - lo <= 1e-13 * max(1.0, abs(value)), args


@ROWS
def test_intervals_enclose_samples_over_boxes(row: ops.OperatorRow) -> None:
    rng = random.Random(row.name)
    enclosure = FUNCTIONS[row.interval]
    inside = 0
    for _ in range(400):
        boxes = []
        for _ in range(row.arity):
            scale = rng.choice([0.1, 1.0, 3.0, 20.0])
            kind = rng.random()
            ends = sorted((rng.uniform(-scale, scale), rng.uniform(-scale, scale)))
            if kind < 0.2:
                ends = sorted((float(rng.randint(-3, 3)), float(rng.randint(-3, 3))))
            elif kind < 0.3:
                ends[1] = ends[0]
            boxes.append(tuple(ends))
        lo, hi, defined = enclosure(*boxes)
        for _ in range(10):
            args = [rng.choice([b[0], b[1], min(max(rng.uniform(*b), b[0]), b[1])]) for b in boxes]
            value = apply(row.name, *args)
            if math.isnan(value):
                assert not defined or not math.isfinite(lo) or not math.isfinite(hi), (boxes, args)
            else:
                inside += 1
                assert lo <= value <= hi, (boxes, args)
    assert inside > 500


@ROWS
def test_dimension_rule(row: ops.OperatorRow) -> None:
    metre, second = Dimension([1]), Dimension([0, 0, 1])
    e = formula(row)

    def result(*dims: Dimension) -> tuple[Dimension | None, int]:
        report = infer(e, dict(zip("uv", dims, strict=False)))
        return report.dimension, report.inconsistent

    pure = (DIMENSIONLESS,) * row.arity
    assert result(*pure) == (DIMENSIONLESS, 0)
    match row.dimension:
        case "same":
            assert result(metre, metre) == (metre, 0)
            assert result(metre, second)[1] == 1
        case "keep":
            assert result(metre) == (metre, 0)
        case "multiply":
            assert result(metre, second) == (metre * second, 0)
        case "divide":
            assert result(metre, second) == (metre / second, 0)
        case "power":
            assert result(metre, DIMENSIONLESS)[1] == 1
            assert result(DIMENSIONLESS, metre)[1] == 1
        case "scale":
            assert row.exponent is not None
            assert result(metre) == (metre**row.exponent, 0)
            assert math.isclose(apply(row.name, 3.0) / apply(row.name, 1.5), 2.0 ** float(row.exponent))
        case "dimensionless":
            assert result(metre) == (DIMENSIONLESS, 1)
        case other:
            raise AssertionError(f"no such rule: {other}")


@ROWS
def test_to_sympy_and_back(row: ops.OperatorRow) -> None:
    e = formula(row)
    back = from_sympy(to_sympy(e))
    for point in points(row, 40):
        assert math.isclose(evaluate(back, point), evaluate(e, point), rel_tol=1e-12)


@ROWS
def test_commutative_means_what_it_says(row: ops.OperatorRow) -> None:
    if row.arity == 2:
        pairs = [(1.5, 2.5), (-3.0, 2.0), (0.5, 4.0)]
        swapped = all(apply(row.name, u, v) == apply(row.name, v, u) for u, v in pairs)
        assert row.commutative == swapped
