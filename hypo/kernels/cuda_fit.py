"""Gradients in the constants, normal equations, and Levenberg–Marquardt for thousands of postfix programs on a GPU.

A block of threads works on one program, one row per thread and pass. The values of all nodes of a row lie in shared memory;
adjoints run backwards over them (reverse mode, so the cost does not grow with the number of constants), kept on a stack, for
in reverse postfix order the next node is the right argument and the left ones wait. The lower triangle of (J, r)ᵀ(J, r) is
added up by all threads, each some rows of one element, in a fixed order. A node costs about three times what its value does.

:func:`fit` does all steps of one program in one launch: factor and step are the work of one thread, between passes over the
rows. The rules of steps and damping are those of :mod:`hypo.kernels.fit` without coefficients of terms.
"""

from functools import cache

import numba
import numpy as np
from numba import cuda

from hypo.kernels import opcodes as oc
from hypo.kernels.cuda_evaluate import ARG_SHIFT, LIVE, OP_BITS, SHARED, Programs
from hypo.kernels.cuda_operators import operators
from hypo.kernels.fit import DEPENDENT, FIRST_DAMPING, LAST_GAIN, MAX_FREE, ROUNDING

_VAR, _CONST, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_BINARY
# Threads of a block in single and double precision: as much shared memory either way.
THREADS = (64, 32)
# Elements of the triangle of a program with the most constants, with the residual.
ELEMENTS = (MAX_FREE + 1) * (MAX_FREE + 2) // 2


@cache
def _kernels(double: bool):
    """(normal, fit) in double or single precision."""
    real = numba.float64 if double else numba.float32
    scalar = np.float64 if double else np.float32
    unary, binary, slope, left_slope, right_slope = operators(double)
    width = THREADS[double]
    slots = max(width, ELEMENTS)
    one, zero = scalar(1.0), scalar(0.0)
    # Rows of the Jacobian are one longer than a block, so that threads that read one column meet different banks.
    line = width + 1

    @cuda.jit(device=True)
    def row_gradient(code, left, begin, end, const, at, X, row, space, tape_size, jac, jacobian):
        """Value of a program on one row; its gradient to ``space`` from ``jac`` on, a line per constant, if wanted."""
        t = cuda.threadIdx.x
        for k in range(begin, end):
            word = code[k]
            op = word & OP_BITS
            k0 = k - begin
            if op == _VAR:
                w = X[word >> ARG_SHIFT, row]
            elif op == _CONST:
                w = scalar(const[at + (word >> ARG_SHIFT)])
            elif op < _FIRST_BINARY:
                w = unary(op, space[(k0 - 1) * width + t])
            else:
                w = binary(op, space[left[k] * width + t], space[(k0 - 1) * width + t])
            space[k0 * width + t] = w
        value = space[(end - begin - 1) * width + t]
        if jacobian:
            g = one
            depth = 0
            for k in range(end - 1, begin - 1, -1):
                word = code[k]
                # Nodes without a free constant below are passed over; the others come as they were pushed.
                if word & LIVE:
                    op = word & OP_BITS
                    k0 = k - begin
                    below = depth
                    if op == _CONST:
                        space[jac + (word >> ARG_SHIFT) * line + t] += g
                        depth -= 1
                    elif op < _FIRST_BINARY:
                        g = g * slope(op, space[(k0 - 1) * width + t], space[k0 * width + t])
                    else:
                        u, v = space[left[k] * width + t], space[(k0 - 1) * width + t]
                        first, second = code[begin + left[k]] & LIVE, code[k - 1] & LIVE
                        h = g
                        if second:
                            g = h * right_slope(op, u, v, space[k0 * width + t])
                            if first:
                                space[tape_size + depth * width + t] = h * left_slope(op, u, v)
                                depth += 1
                        else:
                            g = h * left_slope(op, u, v)
                    if depth < below and depth >= 0:
                        g = space[tape_size + depth * width + t]
        return value

    @cuda.jit(device=True)
    def triangle(code, left, begin, end, const, at, free, X, y, root, space, tape_size, jac, sums, part, total):
        """Σ over all rows of the lower triangle of (J, r)ᵀ(J, r) into ``total`` (elements,), for the whole block."""
        t = cuda.threadIdx.x
        n_row = X.shape[1]
        count = (free + 1) * (free + 2) // 2
        parts = max(1, width // count)
        for s in range(t, parts * count, width):
            sums[s] = 0.0
        for base in range(0, n_row, width):
            row = base + t
            for c in range(free + 1):
                space[jac + c * line + t] = zero
            if row < n_row:
                value = row_gradient(code, left, begin, end, const, at, X, row, space, tape_size, jac, free > 0)
                w = root[row]
                for c in range(free):
                    space[jac + c * line + t] *= w
                space[jac + free * line + t] = (y[row] - value) * w
            cuda.syncthreads()
            for s in range(t, parts * count, width):
                element, first = s % count, s // count
                a = part[element] // (MAX_FREE + 1)
                b = part[element] % (MAX_FREE + 1)
                more = 0.0
                for i in range(first, width, parts):
                    more += space[jac + a * line + i] * space[jac + b * line + i]
                sums[s] += more
            cuda.syncthreads()
        for element in range(t, count, width):
            more = 0.0
            for first in range(parts):
                more += sums[first * count + element]
            total[element] = more
        cuda.syncthreads()

    @cuda.jit(device=True)
    def places(free, part):
        """Row and column of each element of the triangle."""
        for a in range(cuda.threadIdx.x, free + 1, width):
            for b in range(a + 1):
                part[a * (a + 1) // 2 + b] = a * (MAX_FREE + 1) + b
        cuda.syncthreads()

    @cuda.jit
    def normal(code, left, start, const, const_start, free, X, y, root, longest, height, out):
        space = cuda.shared.array(0, real)
        sums = cuda.shared.array(slots, numba.float64)
        total = cuda.shared.array(ELEMENTS, numba.float64)
        part = cuda.shared.array(ELEMENTS, numba.int32)
        e = cuda.blockIdx.x
        places(free[e], part)
        tape = longest * width
        triangle(code, left, start[e], start[e + 1], const, const_start[e], free[e], X, y, root, space, tape,
                 tape + height * width, sums, part, total)  # fmt: skip
        for element in range(cuda.threadIdx.x, (free[e] + 1) * (free[e] + 2) // 2, width):
            out[e, element] = total[element]

    @cuda.jit(device=True)
    def solve(N, free, damping, factor, scale, step):
        """Damped normal equations by a Cholesky factor scaled to ones on the diagonal; 0 for a dependent column."""
        last = free * (free + 1) // 2
        for i in range(free):
            d = N[i * (i + 1) // 2 + i] * (1.0 + damping)
            scale[i] = 1.0 / d**0.5 if d > 0.0 else 0.0
        for j in range(free):
            for i in range(j, free):
                s = N[i * (i + 1) // 2 + j] * scale[i] * scale[j] * (1.0 + damping if i == j else 1.0)
                for k in range(j):
                    s -= factor[i, k] * factor[j, k]
                if i == j:
                    factor[j, j] = s**0.5 if s > DEPENDENT else 0.0
                else:
                    factor[i, j] = s / factor[j, j] if factor[j, j] > 0.0 else 0.0
        for i in range(free):
            s = N[last + i] * scale[i]
            for k in range(i):
                s -= factor[i, k] * step[k]
            step[i] = s / factor[i, i] if factor[i, i] > 0.0 else 0.0
        for i in range(free - 1, -1, -1):
            s = step[i]
            for k in range(i + 1, free):
                s -= factor[k, i] * step[k]
            step[i] = s / factor[i, i] if factor[i, i] > 0.0 else 0.0
        for i in range(free):
            step[i] *= scale[i]

    @cuda.jit(device=True)
    def keep(total, N, end, const, at, best, n):
        """What the next step begins at; whether its numbers are finite."""
        trace = 0.0
        for k in range(end):
            N[k] = total[k]
        for i in range(n):
            best[i] = const[at + i]
            trace += N[i * (i + 1) // 2 + i]
        return trace < np.inf

    @cuda.jit
    def fit(code, left, start, const, const_start, free, X, y, root, longest, height, floor, evaluations, rss):
        space = cuda.shared.array(0, real)
        sums = cuda.shared.array(slots, numba.float64)
        total = cuda.shared.array(ELEMENTS, numba.float64)
        N = cuda.shared.array(ELEMENTS, numba.float64)
        part = cuda.shared.array(ELEMENTS, numba.int32)
        factor = cuda.shared.array((MAX_FREE, MAX_FREE), numba.float64)
        scale = cuda.shared.array(MAX_FREE, numba.float64)
        step = cuda.shared.array(MAX_FREE, numba.float64)
        best = cuda.shared.array(MAX_FREE, numba.float64)
        going = cuda.shared.array(1, numba.int32)
        e, t = cuda.blockIdx.x, cuda.threadIdx.x
        n, at = free[e], const_start[e]
        end = (n + 1) * (n + 2) // 2 - 1
        places(n, part)
        tape = longest * width
        jac = tape + height * width
        triangle(code, left, start[e], start[e + 1], const, at, n, X, y, root, space, tape, jac, sums, part, total)
        lowest, damping = total[end], FIRST_DAMPING
        if t == 0:
            going[0] = 1 if n > 0 and lowest < np.inf and evaluations > 1 and lowest > floor else 0
            if not keep(total, N, end, const, at, best, n):
                going[0] = 0
        cuda.syncthreads()
        done = 1
        while going[0] == 1:
            if t == 0:
                solve(N, n, damping, factor, scale, step)
                for i in range(n):
                    const[at + i] = best[i] + step[i]
            cuda.syncthreads()
            triangle(code, left, start[e], start[e + 1], const, at, n, X, y, root, space, tape, jac, sums, part, total)
            done += 1
            if t == 0:
                new = total[end]
                if done >= evaluations:
                    going[0] = 0
                if new < lowest:
                    if lowest - new < LAST_GAIN * lowest or new <= floor:
                        going[0] = 0
                    lowest = new
                    damping *= 0.1
                    if not keep(total, N, end, const, at, best, n):
                        going[0] = 0
                else:
                    damping *= 10.0
                    if damping > 1e6:
                        going[0] = 0
            cuda.syncthreads()
        if t == 0:
            for i in range(n):
                const[at + i] = best[i]
            rss[e] = lowest if lowest < np.inf else np.inf

    return normal, fit


def _launch(p: Programs, double: bool, most_free: int):
    """Threads, and bytes of shared memory; raises ValueError where a program needs more than there is."""
    if most_free > MAX_FREE:
        raise ValueError(f"programs may have up to {MAX_FREE} free constants, got {most_free}")
    size, threads = (8 if double else 4), THREADS[double]
    needed = ((p.longest + p.height) * threads + (most_free + 1) * (threads + 1)) * size
    fixed = 8 * (max(threads, ELEMENTS) + 2 * ELEMENTS + MAX_FREE * (MAX_FREE + 3)) + 4 * (ELEMENTS + 1) + 256
    if needed + fixed > SHARED:
        raise ValueError(f"a program has {p.longest} nodes, more than a block of threads has room for")
    return threads, needed


def normal_equations(p: Programs, X, y, root, most_free: int):
    """(n_expr, n_element): the lower triangles of (J, r)ᵀ(J, r) row by row, r = root·(y − f), J = root·∂f/∂c of the free
    constants (``most_free`` at most); with p of them the first p(p + 1)/2 elements are JᵀJ, then Jᵀr, then rᵀr."""
    double = X.dtype == np.float64
    threads, shared = _launch(p, double, most_free)
    out = cuda.device_array((p.n_expr, (most_free + 1) * (most_free + 2) // 2), np.float64)
    arrays = (p.code, p.left, p.start, p.const, p.const_start, p.free)
    _kernels(double)[0][p.n_expr, threads, 0, shared](*arrays, X, y, root, p.longest, p.height, out)
    return out


def fit(p: Programs, X, y, root, most_free: int, evaluations: int):
    """Fits the free constants of all programs in place (``p.const``), by up to so many evaluations of each; returns the sums of
    squares (n_expr,), infinite where a value is invalid."""
    double = X.dtype == np.float64
    threads, shared = _launch(p, double, most_free)
    rss = cuda.device_array(p.n_expr, np.float64)
    floor = float(np.sum((np.asarray(y, np.float64) * np.asarray(root, np.float64)) ** 2)) * ROUNDING
    arrays = (p.code, p.left, p.start, p.const, p.const_start, p.free)
    _kernels(double)[1][p.n_expr, threads, 0, shared](*arrays, X, y, root, p.longest, p.height, floor, evaluations, rss)
    return rss
