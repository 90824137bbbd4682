"""Operators that users define, as kernels call them: by the addresses of compiled functions in one table of this process.

Kernels are compiled once and kept, so they must not depend on what a user defines later. Their code therefore holds only the
name of the table, ``SYMBOL``; every process tells LLVM where its own table lies before any kernel is loaded. An opcode without
an entry is NaN everywhere, like all that has no case.
"""

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import inner

SYMBOL = "hypo_user_operators"

# Rows of the table: the address of f(u), float64 to float64,
VALUE = 0
# that of its derivative df/du, float64 to float64,
SLOPE = 1
# and the rule of dimensions, one of the following.
RULE = 2
# A pure number of a pure number; what an empty table holds.
PURE = 0
# The dimension of the argument.
SAME = 1
# None that is known.
UNKNOWN = 2

TABLE = np.zeros((3, oc.N_USER), np.int64)
"""One column for each opcode from ``FIRST_USER`` on. It must not move: kernels hold its address."""

llvmlite.binding.add_symbol(SYMBOL, TABLE.ctypes.data)

_FIRST_USER, _N_USER = oc.FIRST_USER, oc.N_USER
# The rows of the table, typed: numba compiles a variant of a function for each literal that it is called with.
_VALUE = np.int64(VALUE)
_SLOPE = np.int64(SLOPE)
_RULE = np.int64(RULE)


@intrinsic
def _entry(typing_context, row, column):
    """``TABLE[row, column]``."""

    def generate(context, builder, signature, arguments):
        word = ir.IntType(64)
        table = builder.module.globals.get(SYMBOL)
        if table is None:
            table = ir.GlobalVariable(builder.module, ir.ArrayType(word, TABLE.size), SYMBOL)
        place = builder.add(builder.mul(arguments[0], ir.Constant(word, _N_USER)), arguments[1])
        return builder.load(builder.gep(table, [ir.Constant(word, 0), place]))

    return types.int64(types.int64, types.int64), generate


@intrinsic
def _call(typing_context, address, u):
    """The value at ``u`` of the function that begins at ``address``."""

    def generate(context, builder, signature, arguments):
        function = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
        return builder.call(builder.inttoptr(arguments[0], function.as_pointer()), [arguments[1]])

    return types.float64(types.int64, types.float64), generate


@inner(error_model="numpy")
def user_block(op, u, out, n):
    """``out[:n] = op(u[:n])`` for an opcode of a user's operator; NaN where none is defined."""
    address = _entry(_VALUE, np.int64(op) - _FIRST_USER)
    for i in range(n):
        out[i] = _call(address, np.float64(u[i])) if address != 0 else np.nan


@inner(error_model="numpy")
def user_adjoint(op, u, g, gu, n):
    """``gu[:n] = g * d op(u)/du`` for an opcode of a user's operator; NaN where none is defined."""
    address = _entry(_SLOPE, np.int64(op) - _FIRST_USER)
    for i in range(n):
        gu[i] = g[i] * _call(address, np.float64(u[i])) if address != 0 else np.nan


@inner()
def user_dimension_rule(op):
    """The rule of dimensions of an opcode of a user's operator."""
    return _entry(_RULE, np.int64(op) - _FIRST_USER)
