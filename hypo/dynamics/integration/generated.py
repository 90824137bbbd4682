"""Systems as machine code of their own, for long rollouts: the right-hand sides written out as LLVM instructions.

The interpreter looks up each node for a block of lanes; here a column's states, inputs and parameters stay in registers
through a whole step of the classical Runge–Kutta method. Compiling takes about a second, and the code is kept for the process.
No source text is made or run: an intrinsic of numba emits the instructions node by node.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from hypo.kernels import opcodes as oc
from hypo.kernels import user_operators
from hypo.kernels.cpu.trajectories.batch import Batch, Samples
from hypo.kernels.cpu.trajectories.laws import Laws, count_variables

Key = tuple[tuple[tuple[tuple[int, int], ...], tuple[float, ...]], ...]

ONE = types.float64(types.float64)
TWO = types.float64(types.float64, types.float64)


def _invert(u: float) -> float:
    return 1.0 / u if u != 0.0 else np.nan


def _divide(u: float, v: float) -> float:
    return u / v if v != 0.0 else np.nan


def _log(u: float) -> float:
    return float(np.log(u)) if u > 0.0 else np.nan


def _raise(u: float, v: float) -> float:
    if u != u or v != v or (u == 0.0 and v < 0.0):
        return np.nan
    return float(u**v)


def _least(u: float, v: float) -> float:
    return u if (u < v or u != u) else v


def _most(u: float, v: float) -> float:
    return u if (u > v or u != u) else v


FUNCTIONS: dict[int, Callable[..., Any]] = {
    oc.INV: _invert,
    oc.SQRT: lambda u: np.sqrt(u),
    oc.CBRT: lambda u: np.cbrt(u),
    oc.EXP: lambda u: np.exp(u),
    oc.LOG: _log,
    oc.SIN: lambda u: np.sin(u),
    oc.COS: lambda u: np.cos(u),
    oc.TAN: lambda u: np.tan(u),
    oc.TANH: lambda u: np.tanh(u),
    oc.SINH: lambda u: np.sinh(u),
    oc.COSH: lambda u: np.cosh(u),
    oc.ASIN: lambda u: np.arcsin(u),
    oc.ACOS: lambda u: np.arccos(u),
    oc.ATAN: lambda u: np.arctan(u),
    oc.ABS: lambda u: abs(u),
    oc.DIV: _divide,
    oc.POW: _raise,
    oc.MIN: _least,
    oc.MAX: _most,
}
"""Operators that are more than one instruction; outside of their domain they are NaN, as in the kernels."""


def key_of(laws: Laws) -> Key:
    """Nodes and constants of each program: systems with equal keys share their code."""
    out = []
    for e in range(len(laws.start) - 1):
        a, b = laws.start[e], laws.start[e + 1]
        nodes = tuple(zip(laws.op[a:b].tolist(), laws.arg[a:b].tolist(), strict=True))
        n = 1 + max((arg for op, arg in nodes if op == oc.CONST), default=-1)
        first = int(laws.const_start[e])
        out.append((nodes, tuple(laws.const[first : first + n].tolist())))
    return tuple(out)


@lru_cache(maxsize=64)
def compile_rollout(key: Key, n_variable: int, n_action: int, has_time: bool) -> Any:
    """A compiled function ``run(batch, n_sub, first, far, samples)`` of the system with a key (see ``follow_generated``)."""
    n_state = len(key)
    rates = _make_rates(key, n_variable)
    at = n_state

    @njit(error_model="numpy", nogil=True, fastmath={"contract"})
    def run(batch: Any, n_sub: int, far: Any, samples: Any) -> None:
        X, x, total = np.zeros(n_variable), np.zeros(n_state), np.zeros(n_state)
        rate = np.zeros(n_state)
        n_time, n_parameter = batch.time.shape[1], batch.parameters.shape[0]
        for column in range(batch.starts.shape[1]):
            clock = batch.time[column if batch.time.shape[0] > 1 else 0]
            course = batch.inputs[column if batch.inputs.shape[0] > 1 else 0]
            for j in range(n_parameter):
                X[n_variable - n_parameter + j] = batch.parameters[j, column]
            for i in range(n_state):
                X[i] = batch.starts[i, column]
                samples.states[0, i, column] = X[i]
            samples.status[column] = 0
            samples.ended[column] = np.inf
            is_lost = False
            for k in range(n_time - 1):
                h = (clock[k + 1] - clock[k]) / n_sub
                for j in range(n_sub):
                    if is_lost:
                        break
                    for i in range(n_state):
                        x[i] = X[i]
                        total[i] = X[i]
                    for s in range(4):
                        share = 0.0 if s == 0 else (1.0 if s == 3 else 0.5)
                        since = (j + share) * h
                        for a in range(n_action):
                            c = course[k, a]
                            X[at + a] = c[0] + since * (c[1] + since * (c[2] + since * c[3]))
                        if has_time:
                            X[at + n_action] = clock[k] + since
                        rates(X, rate)
                        weight = h / 6 if s == 0 or s == 3 else h / 3
                        following = 0.0 if s == 3 else (h if s == 2 else 0.5 * h)
                        for i in range(n_state):
                            total[i] += weight * rate[i]
                            X[i] = x[i] + following * rate[i]
                    for i in range(n_state):
                        X[i] = total[i]
                for i in range(n_state):
                    is_lost = is_lost or not abs(X[i]) <= far[i]
                if is_lost and samples.status[column] == 0:
                    samples.status[column] = 1
                    samples.ended[column] = clock[k + 1]
                for i in range(n_state):
                    samples.states[k + 1, i, column] = np.nan if is_lost else X[i]

    return run


def follow_generated(laws: Laws, batch: Batch, n_sub: int, far: Any, samples: Samples) -> None:
    """The same as the kernel ``follow_fixed``, by code of the system's own. Raises ValueError for systems with delays."""
    if laws.n_delay:
        raise ValueError("systems with delays have no code of their own; follow them with steps chosen by the error")
    addresses = user_operators.TABLE[user_operators.VALUE].tolist()
    used = {op for op in laws.op.tolist() if oc.is_user_defined(op)}
    key = key_of(laws)
    if used:
        # Users' operators are called by address, and another one may have taken the number.
        key = tuple(
            (tuple((op, addresses[op - oc.FIRST_USER] if op in used else arg) for op, arg in nodes), c)
            for nodes, c in key
        )
    run = compile_rollout(key, int(count_variables(laws)), laws.n_action, bool(laws.n_time))
    run(batch, n_sub, far, samples)


def _make_rates(key: Key, n_variable: int) -> Any:
    """The intrinsic ``rates(X, out)``."""

    @intrinsic
    def rates(typing_context, X, out):  # type: ignore[no-untyped-def]
        def generate(context, builder, sig, arguments):  # type: ignore[no-untyped-def]
            source, target = (
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(sig.args, arguments, strict=True)
            )
            variables: dict[int, ir.Value] = {}
            results = [_emit(context, builder, source.data, variables, nodes, c) for nodes, c in key]
            for k, value in enumerate(results):
                builder.store(value, builder.gep(target.data, [ir.Constant(ir.IntType(64), k)]))
            return context.get_dummy_value()

        return types.void(X, out), generate

    return rates


def _emit(context: Any, builder: Any, data: Any, variables: dict[int, Any], nodes: Any, constants: Any) -> Any:
    """Instructions of one program; returns its value."""
    number = ir.DoubleType()
    stack: list[Any] = []
    for op, arg in nodes:
        if op == oc.VAR:
            if arg not in variables:
                variables[arg] = builder.load(builder.gep(data, [ir.Constant(ir.IntType(64), arg)]))
            stack.append(variables[arg])
        elif op == oc.CONST:
            stack.append(ir.Constant(number, constants[arg]))
        elif op < oc.FIRST_BINARY:
            stack.append(_emit_unary(context, builder, op, arg, stack.pop()))
        else:
            v, u = stack.pop(), stack.pop()
            plain = {oc.ADD: builder.fadd, oc.SUB: builder.fsub, oc.MUL: builder.fmul}.get(op)
            stack.append(plain(u, v) if plain else context.compile_internal(builder, FUNCTIONS[op], TWO, (u, v)))
    return stack[0]


def _emit_unary(context: Any, builder: Any, op: int, address: int, u: Any) -> Any:
    if op == oc.NEG:
        return builder.fneg(u)
    if op == oc.SQUARE:
        return builder.fmul(u, u)
    if op == oc.CUBE:
        return builder.fmul(builder.fmul(u, u), u)
    if oc.is_user_defined(op):
        function = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
        place = ir.Constant(ir.IntType(64), address)
        return builder.call(builder.inttoptr(place, function.as_pointer()), [u])
    return context.compile_internal(builder, FUNCTIONS[op], ONE, (u,))
