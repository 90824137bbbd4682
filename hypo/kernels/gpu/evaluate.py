"""Batch evaluation of postfix programs on GPUs: values, and sums of squared residuals.

One thread computes ``ROWS`` rows, the threads of a block ``THREADS·ROWS`` rows of one program, so that a warp reads one opcode
and takes one branch. The top of the stack is in registers, the rest in shared memory, of which a node moves a word
or less per row: with 132 processors of 32 words a clock at 1.98 GHz at most 8.4e12 node-rows a second; decoding a node and
branching cost about 10 instructions for ``ROWS`` rows. Layouts are those of :mod:`hypo.kernels.cpu.evaluate`; sums are
added up in a fixed order, so results do not depend on the order of threads.

Compiled kernels are kept beside the sources, as those of the processor are: the largest takes ten seconds to compile. Arrays
may lie in memory or on the device; what is returned lies where numba puts device arrays, for the caller to copy.
"""

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import kernel
from hypo.kernels.gpu.operators import kept_kernel, operators

THREADS = 128
# Rows of a thread where the stack leaves room for so many, else one.
ROWS = 4
# Bytes of shared memory that any kernel may ask for.
SHARED = 48 * 1024
# Blocks of rows that one block of threads goes through.
SPAN = 8

_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY
_ADD, _SUB, _MUL, _SQUARE = oc.ADD, oc.SUB, oc.MUL, oc.SQUARE
# The type of an index: numba asks of each signed one whether it is negative.
INDEX = np.uint32
# A word of code: the bits of the opcode, a bit that is free (of value 64), and the argument of a leaf.
OP_BITS = 63
# Bits below the argument of a leaf in a word of code.
ARG_SHIFT = 7


class Programs(NamedTuple):
    """Programs ready for kernels: ``code`` (n_node,) words, ``start`` (n_expr + 1,), ``const`` and where those of a program
    begin, and the largest height of a stack."""

    code: Any
    start: Any
    const: Any
    const_start: Any
    height: int

    @property
    def n_expr(self) -> int:
        """Number of programs."""
        return self.start.shape[0] - 1


@kernel()
def _pack(op, arg, start, code):
    """Fills the words of code; returns the largest height of a stack."""
    height = 0
    for e in range(start.shape[0] - 1):
        depth = 0
        for k in range(start[e], start[e + 1]):
            if op[k] < _FIRST_UNARY:
                depth += 1
                height = max(height, depth)
                code[k] = op[k] | (arg[k] << ARG_SHIFT)
            else:
                depth -= 1 if op[k] >= _FIRST_BINARY else 0
                code[k] = op[k]
    return height


def programs(op, arg, start, const, const_start) -> Programs:
    """Programs in the layout of :func:`hypo.kernels.cpu.evaluate.evaluate`, on the device."""
    code = np.empty(len(op), np.int32)
    height = _pack(np.asarray(op), np.asarray(arg), np.asarray(start), code)
    # A device has no arrays without elements.
    const = np.zeros(1) if len(const) == 0 else np.asarray(const, np.float64)
    arrays = (code, np.asarray(start, np.int64), const, np.asarray(const_start, np.int64))
    code, first, const, const_start = (cuda.to_device(a) for a in arrays)
    return Programs(code, first, const, const_start, int(height))


@cache
def _kernels(double: bool, rows: int):
    """(values, losses) in double or single precision, for so many rows per thread."""
    real = numba.float64 if double else numba.float32
    scalar = np.float64 if double else np.float32
    unary, binary = operators(double)[:2]
    tile = THREADS * rows

    @cuda.jit(device=True)
    def run(code, begin, end, const, at, X, row, stack, top):
        """Values of one program on the rows of a thread, from ``row`` in steps of THREADS, into ``top`` (rows,)."""
        t = cuda.threadIdx.x
        last = X.shape[1] - 1
        depth = -1
        for k in range(begin, end):
            word = code[k]
            op = word & OP_BITS
            if op < _FIRST_UNARY:
                if depth >= 0:
                    for r in range(rows):
                        stack[INDEX((depth * rows + r) * THREADS + t)] = top[r]
                depth += 1
                arg = word >> ARG_SHIFT
                if op == _VAR:
                    for r in range(rows):
                        top[r] = X[INDEX(arg), INDEX(min(row + r * THREADS, last))]
                else:
                    c = scalar(const[INDEX(at + arg)])
                    for r in range(rows):
                        top[r] = c
            elif op < _FIRST_BINARY:
                if op == _SQUARE:
                    for r in range(rows):
                        top[r] = top[r] * top[r]
                else:
                    for r in range(rows):
                        top[r] = unary(op, top[r])
            else:
                depth -= 1
                if op == _ADD:
                    for r in range(rows):
                        top[r] = stack[INDEX((depth * rows + r) * THREADS + t)] + top[r]
                elif op == _MUL:
                    for r in range(rows):
                        top[r] = stack[INDEX((depth * rows + r) * THREADS + t)] * top[r]
                elif op == _SUB:
                    for r in range(rows):
                        top[r] = stack[INDEX((depth * rows + r) * THREADS + t)] - top[r]
                else:
                    for r in range(rows):
                        top[r] = binary(op, stack[INDEX((depth * rows + r) * THREADS + t)], top[r])

    @kept_kernel
    def values(code, start, const, const_start, X, out):
        stack = cuda.shared.array(0, real)
        top = cuda.local.array(rows, real)
        e = cuda.blockIdx.x
        for piece in range(SPAN):
            row = (cuda.blockIdx.y * SPAN + piece) * tile + cuda.threadIdx.x
            run(code, start[e], start[e + 1], const, const_start[e], X, row, stack, top)
            for r in range(rows):
                if row + r * THREADS < X.shape[1]:
                    out[e, row + r * THREADS] = top[r]

    @kept_kernel
    def losses(code, start, const, const_start, X, y, root, part):
        stack = cuda.shared.array(0, real)
        sums = cuda.shared.array(THREADS, numba.float64)
        top = cuda.local.array(rows, real)
        e, t = cuda.blockIdx.x, cuda.threadIdx.x
        total = 0.0
        for piece in range(SPAN):
            row = (cuda.blockIdx.y * SPAN + piece) * tile + t
            if row - t < X.shape[1]:
                run(code, start[e], start[e + 1], const, const_start[e], X, row, stack, top)
                for r in range(rows):
                    i = row + r * THREADS
                    if i < X.shape[1]:
                        d = (y[i] - top[r]) * root[i]
                        total += d * d
        sums[t] = total
        cuda.syncthreads()
        half = THREADS // 2
        while half > 0:
            if t < half:
                sums[t] += sums[t + half]
            cuda.syncthreads()
            half //= 2
        if t == 0:
            part[e, cuda.blockIdx.y] = sums[0]

    return values, losses


def _launch(p: Programs, n_row: int, double: bool):
    """Kernels, grid and bytes of shared memory; raises ValueError for programs that need too high a stack."""
    size = 8 if double else 4
    rows = ROWS if p.height * ROWS * THREADS * size <= SHARED - 8 * THREADS else 1
    needed = p.height * rows * THREADS * size
    if needed > SHARED - 8 * THREADS:
        raise ValueError(f"a program needs a stack of {p.height} numbers, more than a block of threads has room for")
    return _kernels(double, rows), (p.n_expr, -(-n_row // (THREADS * rows * SPAN))), needed


def values(p: Programs, X):
    """Values (n_expr, n_row) of all programs on ``X`` (n_var, n_row), in the type of X."""
    double = X.dtype == np.float64
    (kernel, _), grid, shared = _launch(p, X.shape[1], double)
    out = cuda.device_array((p.n_expr, X.shape[1]), X.dtype)
    kernel[grid, THREADS, 0, shared](p.code, p.start, p.const, p.const_start, X, out)
    return out


def losses(p: Programs, X, y, root):
    """Parts (n_expr, n_part) of Σ (root·(y − f))², to be added up along the rows; not finite where a value is invalid."""
    double = X.dtype == np.float64
    (_, kernel), grid, shared = _launch(p, X.shape[1], double)
    part = cuda.device_array(grid, np.float64)
    kernel[grid, THREADS, 0, shared](p.code, p.start, p.const, p.const_start, X, y, root, part)
    return part
