"""Right-hand sides of a system on blocks of lanes: values, and slopes by every variable.

Layouts (C order):
    X (n_variable, width)   the table of variables, one row each: states, delayed states, inputs, time where laws use it,
                            parameters; column lane is lane lane
    J (n_state, n_variable, width)   slopes of each right-hand side; rows of variables that it lacks are not written
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.evaluate import KEEP, LEFT, PLACE, RIGHT, SHARE, forward, make_plan
from hypo.kernels.cpu.operators import left_adjoint, right_adjoint, unary_adjoint
from hypo.kernels.cpu.rows import assign, fill

_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY


class Laws(NamedTuple):
    """Programs end to end, as in :mod:`hypo.kernels.cpu.evaluate`, and the numbers of rows of each kind in the table."""

    op: NDArray
    arg: NDArray
    start: NDArray
    const: NDArray
    const_start: NDArray
    n_state: int
    n_delay: int
    n_action: int
    n_time: int
    n_parameter: int


class Desk(NamedTuple):
    """Room to evaluate programs on a block.

    ``plan`` (4, n_node): see ``make_plan``. ``base`` (n_program,): each program's first row of ``value`` (rows, width).
    ``adjoint`` (longest program, width). ``is_live`` (n_node,): a variable lies below. ``uses`` (n_program, n_variable).
    """

    plan: NDArray
    base: NDArray
    value: NDArray
    adjoint: NDArray
    is_live: NDArray
    uses: NDArray


@inner()
def count_variables(laws):
    """Rows of the table."""
    return laws.n_state + laws.n_delay + laws.n_action + laws.n_time + laws.n_parameter


@kernel(error_model="numpy")
def make_desk(laws, width, keep):
    """Room for blocks of ``width`` lanes; with ``keep`` for slopes, too."""
    n_program = laws.start.shape[0] - 1
    plan = np.empty((4, laws.op.shape[0]), np.int64)
    base = np.zeros(n_program, np.int64)
    is_live = np.zeros(laws.op.shape[0], np.bool_)
    uses = np.zeros((n_program, count_variables(laws)), np.bool_)
    height, longest = 0, 1
    for e in range(n_program):
        a, b = laws.start[e], laws.start[e + 1]
        op, arg, const = laws.op[a:b], laws.arg[a:b], laws.const[laws.const_start[e] :]
        if keep:
            base[e] = height
            height += make_plan(op, arg, const, KEEP, plan[:, a:b])
            longest = max(longest, b - a)
        else:
            height = max(height, make_plan(op, arg, const, SHARE, plan[:, a:b]))
        for k in range(a, b):
            if laws.op[k] == _VAR:
                is_live[k] = True
                uses[e, laws.arg[k]] = True
            elif laws.op[k] >= _FIRST_UNARY:
                is_live[k] = is_live[a + plan[LEFT, k]] or is_live[a + plan[RIGHT, k]]
    value = np.empty((max(height, 1), width))
    if keep:
        for e in range(n_program):
            a, b = laws.start[e], laws.start[e + 1]
            for k in range(a, b):
                if laws.op[k] == _CONST and plan[PLACE, k] >= 0:
                    fill(value[base[e] + plan[PLACE, k]], laws.const[laws.const_start[e] + laws.arg[k]])
    return Desk(plan, base, value, np.empty((longest, width)), is_live, uses)


@inner(error_model="numpy")
def evaluate_one(laws, desk, e, X, first, out):
    """Values of program e on the lanes from ``first`` on into ``out`` (n,)."""
    a, b = laws.start[e], laws.start[e + 1]
    const = laws.const[laws.const_start[e] :]
    forward(laws.op[a:b], laws.arg[a:b], desk.plan[:, a:b], const, X, first, desk.value[desk.base[e] :], out)


@inner(error_model="numpy")
def find_slopes(laws, desk, X, result, J):
    """Slopes J of all programs on the first lanes, where a desk that keeps has just given ``result`` (n_program, n)."""
    n = result.shape[1]
    for e in range(result.shape[0]):
        a, b = laws.start[e], laws.start[e + 1]
        value = desk.value[desk.base[e] :]
        for v in range(desk.uses.shape[1]):
            if desk.uses[e, v]:
                fill(J[e, v, :n], 0.0)
        fill(desk.adjoint[b - a - 1, :n], 1.0)
        for k in range(b - a - 1, -1, -1):
            if not desk.is_live[a + k]:
                continue
            o, g = laws.op[a + k], desk.adjoint[k]
            if o == _VAR:
                line = J[e, laws.arg[a + k]]
                for lane in range(n):
                    line[lane] += g[lane]
                continue
            i, j = desk.plan[LEFT, a + k], desk.plan[RIGHT, a + k]
            u = X[laws.arg[a + i], :n] if laws.op[a + i] == _VAR else value[desk.plan[PLACE, a + i]]
            w = value[desk.plan[PLACE, a + k]] if desk.plan[PLACE, a + k] >= 0 else result[e]
            if o < _FIRST_BINARY:
                unary_adjoint(o, u, w, g, desk.adjoint[i], n)
                continue
            v = X[laws.arg[a + j], :n] if laws.op[a + j] == _VAR else value[desk.plan[PLACE, a + j]]
            if desk.is_live[a + i]:
                left_adjoint(o, u, v, w, g, desk.adjoint[i], n)
            if desk.is_live[a + j]:
                right_adjoint(o, u, v, w, g, desk.adjoint[j], n)


@inner(error_model="numpy")
def carry_slopes(laws, desk, J, S, out, n):
    """Variational equations: rates ``out`` (n_state·m, width) of the sensitivities S (n_state·m, width), m of each state.

    dS/dt = (∂f/∂x) S + ∂f/∂p, with the slopes by the start first and those by the parameters after them.
    """
    d = laws.n_state
    m = d + laws.n_parameter
    first = count_variables(laws) - laws.n_parameter
    for e in range(d):
        for j in range(m):
            line = out[e * m + j]
            if j >= d and desk.uses[e, first + j - d]:
                assign(line[:n], J[e, first + j - d])
            else:
                fill(line[:n], 0.0)
        for i in range(d):
            if not desk.uses[e, i]:
                continue
            slope = J[e, i]
            for j in range(m):
                line, s = out[e * m + j], S[i * m + j]
                for lane in range(n):
                    line[lane] += slope[lane] * s[lane]


@kernel(error_model="numpy", nogil=True)
def rates_and_slopes(laws, X, out, J):
    """Right-hand sides ``out`` (n_state, n) and their slopes J (n_state, n_variable, n) on a whole table X (n_variable, n)."""
    desk = make_desk(laws, X.shape[1], KEEP)
    J[:] = 0.0
    for e in range(out.shape[0]):
        evaluate_one(laws, desk, e, X, 0, out[e])
    find_slopes(laws, desk, X, out, J)
