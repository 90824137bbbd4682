"""What evolving programs may hold, and how their nodes are written: the parts of variation and of tidying.

Programs lie in rows of fixed width as in :mod:`hypo.kernels.cpu.fit_batch`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import inner

_FIRST_UNARY, _FIRST_BINARY = oc.FIRST_UNARY, oc.FIRST_BINARY

# Typed numbers: numba compiles a variant of a function for each literal that it is called with.
NO_ARGUMENT = np.int32(0)
ZERO = np.int64(0)
NODE_ADD = np.int32(oc.ADD)


class BreedingGrammar(NamedTuple):
    """The symbols and rules of evolving programs.

    ``unary``, ``binary``: opcodes, and ``*_chance`` their cumulated chances. ``forbid``, ``shy`` (N_OPCODE,): masks of opcodes
    that must not, or seldom, stand below one; ``permitted``: mask of all that may be used. ``size``: most nodes, coefficients
    included; ``linear``, ``free``: whether sums at the root have coefficients, and constants are fitted. ``fixed``: named
    constants; ``fixed_dims``: theirs, and of other fixed numbers. ``dims`` (n_var,): packed dimensions, looked at where
    ``units``; ``target``: that of the whole, which coefficients make up for. ``place`` (n_var,): magnitude of each variable.
    ``block_*``: building blocks, program b is ``block_start[b]:block_start[b+1]``.
    """

    unary: NDArray
    unary_chance: NDArray
    binary: NDArray
    binary_chance: NDArray
    forbid: NDArray
    shy: NDArray
    permitted: int
    size: int
    linear: bool
    free: bool
    fixed: NDArray
    fixed_dims: NDArray
    dims: NDArray
    units: bool
    target: int
    bits: int
    fields: int
    place: NDArray
    block_op: NDArray
    block_arg: NDArray
    block_value: NDArray
    block_start: NDArray


@inner()
def start(op, k):
    """Where the subtree of node k begins."""
    need = 1
    while True:
        if op[k] < _FIRST_UNARY:
            need -= 1
        elif op[k] >= _FIRST_BINARY:
            need += 1
        if need == 0:
            return k
        k -= 1


@inner()
def put(p, n, o, a, v):
    """Appends a node to a program of n nodes; returns the new length, or one above the width when it is full."""
    if n >= p[0].shape[0]:
        return p[0].shape[0] + 1
    p[0][n] = o
    p[1][n] = a
    p[2][n] = v
    return n + 1


@inner()
def copy(p, n, q, first, last):
    """Appends nodes first…last - 1 of q."""
    for k in range(first, last):
        n = put(p, n, q[0][k], q[1][k], q[2][k])
    return n
