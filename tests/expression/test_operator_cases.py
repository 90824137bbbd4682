"""No table and no kernel has a silent default for an operator: each knows all of them, and says so of others."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.expression import Expression
from hypo.expression import operators as ops
from hypo.expression.algebra.simplify import simplify
from hypo.expression.analysis.derivative import derivative
from hypo.expression.analysis.dimension import infer
from hypo.expression.analysis.intervals import enclose
from hypo.expression.printing import latex, numpy_source, plain, pretty
from hypo.expression.program import Program, evaluate
from hypo.expression.sympy_bridge import to_sympy
from hypo.fitting.constants.start_values import INVERSE
from hypo.kernels import opcodes as oc
from hypo.kernels.cpu import enumerate
from hypo.kernels.cpu import operators as blocks
from tests.oracles.operators import BY_NAME

ROWS = pytest.mark.parametrize("row", ops.OPERATORS, ids=lambda row: row.name)
# Codes of one and of two arguments beyond the table: to kernels the latter is an operator without a case.
STRANGE = oc.N_OPCODE + 3
U, V = np.array([0.3, 0.7]), np.array([0.6, 0.2])


def block(op: int, unary: bool, u: np.ndarray = U, v: np.ndarray = V) -> np.ndarray:
    out = np.full(2, 7.0)
    blocks.unary_block(op, u, out, 2) if unary else blocks.binary_block(op, u, v, out, 2)
    return out


def slopes(op: int, unary: bool) -> list[np.ndarray]:
    w, g, out = block(op, unary), np.ones(2), [np.full(2, 7.0), np.full(2, 7.0)]
    if unary:
        blocks.unary_adjoint(op, U, w, g, out[0], 2)
        return out[:1]
    blocks.left_adjoint(op, U, V, w, g, out[0], 2)
    blocks.right_adjoint(op, U, V, w, g, out[1], 2)
    return out


def formula(row: ops.OperatorRow) -> Expression:
    return Expression.apply(row.name, *map(Expression.variable, "uv"[: row.arity]))


@ROWS
def test_kernels_have_a_case_for_each_operator(row: ops.OperatorRow) -> None:
    unary = row.arity == 1
    arguments = [U] if unary else [U, V]
    for function in (BY_NAME[row.name].plain, row.number):
        expected = [function(*a) for a in zip(*arguments, strict=True)]
        np.testing.assert_allclose(block(row.opcode, unary), expected, rtol=1e-14)
    names, X = "uv"[: row.arity], np.column_stack(arguments)
    for k, found in in_order(slopes(row.opcode, unary)):
        np.testing.assert_allclose(found, evaluate(derivative(formula(row), names[k]), X, names), rtol=1e-12)


def in_order(items: list[np.ndarray]) -> list[tuple[int, np.ndarray]]:
    return list(zip(range(len(items)), items, strict=True))


@ROWS
def test_kernels_know_the_dimension_of_each_operator(row: ops.OperatorRow) -> None:
    if row.arity == 1:
        assert enumerate.unary_dimension(row.opcode, np.int64(0), 10, 6) == 0
        expected = {"keep": 12, "dimensionless": int(enumerate.INVALID)}.get(
            row.dimension, int(12 * (row.exponent or 0))
        )
        assert enumerate.unary_dimension(row.opcode, np.int64(12), 10, 6) == expected
    else:
        assert enumerate.binary_dimension(row.opcode, np.int64(0), np.int64(0), 10, 6) == 0
        expected = {"same": 12, "multiply": 24, "divide": 0, "power": int(enumerate.INVALID)}[row.dimension]
        assert enumerate.binary_dimension(row.opcode, np.int64(12), np.int64(12), 10, 6) == expected


@ROWS
@pytest.mark.parametrize("double", [True, False])
def test_gpu_kernels_have_a_case_for_each_operator(
    row: ops.OperatorRow, double: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hypo.kernels.gpu import operators as gpu

    # The device's own function; the others are those of Python.
    monkeypatch.setattr(gpu, "_cbrt", np.cbrt)
    unary, binary, slope, left, right = (getattr(f, "py_func", f) for f in gpu.operators(double))
    monkeypatch.setitem(binary.__globals__, "_cbrt", np.cbrt)
    error = 1e-13 if double else 1e-6
    for k in range(2):
        u, v = (a[k].astype(np.float64 if double else np.float32) for a in (U, V))
        if row.arity == 1:
            w = unary(row.opcode, u)
            found = [w, slope(row.opcode, u, w)]
        else:
            # Calls of device functions from device functions are for the device.
            w = np.power(u, v) if row.name == "**" else binary(row.opcode, u, v)
            found = [w, left(row.opcode, u, v), right(row.opcode, u, v, w)]
        point = {"u": np.array([u]), "v": np.array([v])}
        X = np.column_stack([point[n] for n in "uv"[: row.arity]]).astype(np.float64)
        formulas = [formula(row), *(derivative(formula(row), n) for n in "uv"[: row.arity])]
        expected = [evaluate(e, X, "uv"[: row.arity])[0] for e in formulas]
        np.testing.assert_allclose(found, expected, rtol=error)


@ROWS
def test_what_a_row_says_of_its_function_holds(row: ops.OperatorRow) -> None:
    oracle = BY_NAME[row.name]
    if row.arity == 1:
        has_value = oracle.domain.has
        assert row.is_limited == (not all(has_value(u) for u in (-2.0, 0.0, 2.0)) or row.name == "tan")
        for u in U:
            if row.parity:
                assert oracle.plain(-u) == row.parity * oracle.plain(u)
            if row.inverse is not None:
                np.testing.assert_allclose(INVERSE[row.opcode](np.array([oracle.plain(u)])), u, rtol=1e-14)
        for u, stated in ((0.0, row.zero), (1.0, row.one)):
            if stated is not None:
                assert oracle.plain(u) == stated
    angles = {"sin", "cos", "tan"}
    assert row.is_wave == (row.name in angles) and row.is_circular == (row.name in angles | {"asin", "acos", "atan"})


@ROWS
def test_a_row_says_how_it_is_written(row: ops.OperatorRow) -> None:
    forms = {"plain": row.plain, "latex": row.latex, "numpy": row.numpy, "Julia": row.julia_text}
    forms |= {f"Julia with {needed}": form for needed, form in row.written_out}
    for name, form in forms.items():
        written = form.format("first", "second")
        assert "first" in written and ("second" in written) == (row.arity == 2), name
    assert {*row.sources, *(needed for needed, _ in row.written_out)} <= set(ops.BY_NAME)
    assert (row.precedence == ops.P_ATOM) == (not row.least), "the levels of arguments without brackets (least)"
    assert row.frequency > 0 and row.is_default >= row.is_enumerated


@ROWS
def test_printers_and_bridges_know_each_operator(row: ops.OperatorRow) -> None:
    e = formula(row)
    assert plain(e) and pretty(e) and latex(e) and numpy_source(e) and to_sympy(e) is not None
    assert simplify(e).variables and infer(e, {}).inconsistent == 0
    assert enclose(e, {"u": (0.3, 0.3), "v": (0.6, 0.6)}).defined


@pytest.mark.parametrize("unary", [True, False])
def test_kernels_give_nan_for_what_they_have_no_case_for(unary: bool) -> None:
    others = range(oc.FIRST_BINARY, oc.N_OPCODE) if unary else range(oc.FIRST_UNARY, oc.FIRST_BINARY)
    for op in (*others, oc.N_OPCODE, STRANGE):
        assert np.all(np.isnan([block(op, unary), *slopes(op, unary)])), op
    if unary:
        assert enumerate.unary_dimension(STRANGE, np.int64(0), 10, 6) == enumerate.INVALID
    else:
        assert enumerate.binary_dimension(STRANGE, np.int64(0), np.int64(0), 10, 6) == enumerate.INVALID


def test_number_block_has_no_default() -> None:
    out = np.full(2, 7.0)
    for op, left in ((oc.MIN, False), (oc.MAX, True), (oc.POW, True), (STRANGE, False)):
        assert not blocks.takes_number(op, left, 2.0)
        blocks.number_block(op, U, 2.0, left, out, 2)
        assert np.all(np.isnan(out))


def test_whole_programs_give_nan_for_an_operator_without_a_case() -> None:
    program = Program(np.array([oc.VAR, oc.CONST, STRANGE], np.int32), np.array([0, 0, 0], np.int32), np.array([2.0]))
    assert np.all(np.isnan(program.value(U[None])))
    value, gradient = program.value_and_gradient(U[None], program.values)
    assert np.all(np.isnan(value)) and np.all(np.isnan(gradient))


@pytest.mark.parametrize("double", [True, False])
def test_gpu_operators_give_nan_for_what_they_have_no_case_for(double: bool) -> None:
    from hypo.kernels.gpu.operators import operators

    table = operators(double)
    unary, binary, slope, left, right = (getattr(f, "py_func", f) for f in table)
    real = np.float64 if double else np.float32
    u, v = real(0.3), real(0.6)
    for op in (*range(oc.FIRST_BINARY, oc.N_OPCODE), STRANGE):
        assert np.isnan(unary(op, u)) and np.isnan(slope(op, u, u))
    for op in (*range(oc.FIRST_UNARY, oc.FIRST_BINARY), STRANGE):
        assert np.isnan(binary(op, u, v)) and np.isnan(left(op, u, v)) and np.isnan(right(op, u, v, u))


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Expression:
    """A formula with an operator that was added to the table and nowhere else."""
    row = ops.OperatorRow(
        "mean", oc.N_OPCODE, 2, "mean {0} {1}", "mean", "mean", ops.P_SUM, "all", "average", "mean", ("1", "1")
    )
    monkeypatch.setitem(ops.BY_OPCODE, oc.N_OPCODE, row)
    return Expression(((oc.VAR, 0), (oc.VAR, 1), (oc.N_OPCODE, 0)), (), ("u", "v"))


@pytest.mark.parametrize(
    "use",
    [plain, pretty, latex, numpy_source, to_sympy, simplify, lambda e: derivative(e, "u"), lambda e: infer(e, {}),
     lambda e: enclose(e, {"u": (0.0, 1.0), "v": (0.0, 1.0)})],
    ids=["plain", "pretty", "latex", "numpy", "sympy", "simplify", "derivative", "dimension", "intervals"],
)  # fmt: skip
def test_tables_name_the_operator_that_they_do_not_know(stranger: Expression, use) -> None:
    with pytest.raises(NotImplementedError, match="no case for the operator 'mean'"):
        use(stranger)


def test_a_code_beyond_the_table_is_named_too() -> None:
    e = Expression(((oc.VAR, 0), (oc.VAR, 1), (STRANGE, 0)), (), ("u", "v"))
    with pytest.raises(NotImplementedError, match=f"opcode {STRANGE}, which is none of the operator table"):
        plain(e)


def test_the_tables_of_gpus_know_each_operator() -> None:
    pytest.importorskip("torch")
    from hypo.search.gpu import dimensions as cuda_dimensions
    from hypo.search.gpu import library as cuda_library

    assert {*cuda_library._UNARY, *cuda_library._BINARY} == {row.opcode for row in ops.OPERATORS}
    import torch

    with pytest.raises(NotImplementedError, match="no case for the opcode"):
        cuda_dimensions.binary_dimensions(STRANGE, torch.zeros(1), torch.zeros(1), 10, 6)
    with pytest.raises(NotImplementedError, match="no case for the opcode"):
        cuda_library._UNARY[STRANGE]
