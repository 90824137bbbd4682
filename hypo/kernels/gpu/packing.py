"""Batches of programs to fit, packed for a GPU: one array of integers and one of numbers, so that a launch takes two copies
there and one back.

    ints    start (n + 1) | free (n) | n_term (n) | term (n · MAX_TERMS) | code (n_node) | left (n_node)
    floats  limit (n) | rss (n) | coef (n · (MAX_TERMS + 1)) | const (n_node)

A word of code is an opcode, ``LIVE`` where a free constant lies below (of the sums that join terms, nowhere), and the
argument of a leaf; ``left`` are positions within the program, and so are the terms, the last one first. The constants of
program e begin at ``start[e]``, its ``free`` ones before the others. ``n_term`` is 0 for a program that is no sum of terms,
and ``REFUSED`` for one that has too many terms or constants, or no nodes.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import kernel
from hypo.kernels.cpu.evaluate import link_arguments
from hypo.kernels.cpu.fit_batch import MAX_FREE, MAX_TERMS, split_terms
from hypo.kernels.gpu.evaluate import ARG_SHIFT

# In a word of code, between opcode and argument.
LIVE = 64
REFUSED = -1

_CONST, _FIRST_UNARY, _FIRST_BINARY = oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY


class Batch(NamedTuple):
    """Packed arrays on the device; ``longest`` program, ``height`` of the highest stack, and most ``columns`` of a fit with the
    residual."""

    ints: Any
    floats: Any
    n_expr: int
    n_node: int
    longest: int
    height: int
    columns: int


@kernel()
def _pack(programs, linear, ints, const):
    """Fills the arrays of ``ints`` (start, free, n_term, term, code, left) and ``const``; returns the largest height of a stack
    and the most columns."""
    op, arg, value, length = programs
    start, free, n_term, term, code, left = ints
    n, width = op.shape
    links, alive = np.empty((2, width), np.int64), np.empty(width, np.bool_)
    terms = np.empty(MAX_TERMS, np.int64)
    height, columns = 1, 1
    start[0] = 0
    for e in range(n):
        k_n, at = length[e], start[e]
        start[e + 1] = at + k_n
        o, a = op[e, :k_n], arg[e, :k_n]
        link_arguments(o, links[0, :k_n], links[1, :k_n])
        p, depth = 0, 0
        for k in range(k_n):
            alive[k] = o[k] == _CONST and a[k] < 0
            if alive[k]:
                p += 1
            if o[k] < _FIRST_UNARY:
                depth += 1
                height = max(height, depth)
            else:
                alive[k] = alive[links[0, k]] or alive[links[1, k]]
                depth -= 1 if o[k] >= _FIRST_BINARY else 0
        free[e] = p
        count = 0
        if linear and k_n > 0:
            count = split_terms(o, links[0, :k_n], links[1, :k_n], k_n, terms)
            # The sums that join terms are the nodes between the root and the terms.
            inside = 0
            for k in range(k_n - 1, -1, -1):
                for t in range(count):
                    if terms[t] == k:
                        inside = 1
                if inside == 0:
                    alive[k] = False
                else:
                    inside -= 1
                    if o[k] >= _FIRST_UNARY:
                        inside += 2 if o[k] >= _FIRST_BINARY else 1
            if count == 0:
                count = REFUSED
            for t in range(count):
                term[e * MAX_TERMS + t] = terms[t]
        if k_n == 0 or p > MAX_FREE:
            count = REFUSED
        n_term[e] = count
        if count != REFUSED:
            columns = max(columns, p + 1 + (count + 1 if count > 0 else 0))
        free_at, fixed_at = 0, p
        for k in range(k_n):
            place = a[k] if o[k] < _FIRST_UNARY else 0
            if o[k] == _CONST:
                if a[k] < 0:
                    place = free_at
                    free_at += 1
                else:
                    place = fixed_at
                    fixed_at += 1
                const[at + place] = value[e, k]
            code[at + k] = o[k] | (LIVE if alive[k] else 0) | (place << ARG_SHIFT)
            left[at + k] = links[0, k]
    return height, columns


@kernel()
def _unpack(op, arg, length, const, value):
    at = 0
    for e in range(length.shape[0]):
        place = at
        for k in range(length[e]):
            if op[e, k] == _CONST and arg[e, k] < 0:
                value[e, k] = const[place]
                place += 1
        at += length[e]


def packed(programs, linear: bool, limit) -> Batch:
    """A batch in the layout of :func:`hypo.kernels.cpu.fit_batch.fit_batch` on the device, with the ``limit`` (n,) of
    each program."""
    length = programs[3]
    n, n_node = len(length), int(length.sum())
    ints = np.zeros((3 + MAX_TERMS) * n + 1 + 2 * n_node, np.int32)
    floats = np.zeros((3 + MAX_TERMS) * n + n_node)
    places = np.cumsum([n + 1, n, n, n * MAX_TERMS, n_node])
    parts = tuple(np.split(ints, places))
    floats[:n], floats[n : 2 * n] = limit, np.inf
    const = floats[(3 + MAX_TERMS) * n :]
    height, columns = _pack(programs, linear, parts, const)
    longest = int(length.max(initial=1))
    return Batch(cuda.to_device(ints), cuda.to_device(floats), n, n_node, longest, int(height), int(columns))


def unpack(batch: Batch, programs, rss, coef) -> None:
    """Copy the results of a fit from the device: constants to ``programs``, sums of squares to ``rss`` (n,), infinite where
    nothing was fitted, and coefficients to ``coef`` (n, MAX_TERMS + 1)."""
    op, arg, value, length = programs
    floats = batch.floats.copy_to_host()
    n = batch.n_expr
    rss[:] = floats[n : 2 * n]
    fitted = np.isfinite(rss)
    coef[fitted] = floats[2 * n : (3 + MAX_TERMS) * n].reshape(n, MAX_TERMS + 1)[fitted]
    _unpack(op, arg, length, floats[(3 + MAX_TERMS) * n :], value)
