"""Normal equations and Levenberg–Marquardt for thousands of postfix programs on a GPU, the coefficients of terms projected out.

A block of threads works on one program, one row per thread and pass. The values of all nodes of a row lie in shared memory;
adjoints run backwards over them (reverse mode, so the cost does not grow with the number of constants), kept on a stack, for
in reverse postfix order the next node is the right argument and the left ones wait. The lower triangle of (C, J, r)ᵀ(C, J, r)
is added up by all threads, each some rows of one element, in a fixed order: C = (1, t1, …, tK)·root of a sum of terms, nothing
of other programs, J = root·∂f/∂c of the free constants, r the residual. A node costs about three times what its value does.

:func:`fit` does all steps of one program in one launch: factor and step are the work of one thread, between passes over the
rows. The rules of steps and damping are those of :mod:`hypo.kernels.cpu.fit_batch`. Where there are terms a first pass
gives their coefficients, a second all else; what the refinement of the coefficients changes follows from the triangle
of the second.
"""

from functools import cache

import numba
import numpy as np
from numba import cuda

from hypo.kernels import opcodes as oc
from hypo.kernels.cpu.fit_batch import DEPENDENT, FIRST_DAMPING, LAST_GAIN, MAX_FREE, MAX_TERMS, PATIENCE, substitute
from hypo.kernels.gpu.evaluate import ARG_SHIFT, INDEX, OP_BITS, SHARED
from hypo.kernels.gpu.operators import kept_kernel, operators
from hypo.kernels.gpu.packing import LIVE, REFUSED, Batch

_VAR, _CONST, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_BINARY
# Threads of a block in single and double precision: as much shared memory either way.
THREADS = (64, 32)
# Most columns of C, of C and J, and with the residual; elements of the triangle of so many.
COEFFICIENTS = MAX_TERMS + 1
COLUMNS = COEFFICIENTS + MAX_FREE
LINES = COLUMNS + 1
ELEMENTS = LINES * (LINES + 1) // 2
# Where arrays begin among the integers of a batch, as multiples of its number of programs: numbers of free constants,
FREE_AT = 1
# numbers of terms,
TERM_COUNT_AT = 2
# positions of terms,
TERM_AT = 3
# words of code.
CODE_AT = TERM_AT + MAX_TERMS


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
    back = cuda.jit(device=True)(substitute.py_func)

    @cuda.jit(device=True)
    def forward(code, left, begin, end, const, X, row, space):
        """Values of the nodes of a program on one row."""
        t = cuda.threadIdx.x
        for k in range(begin, end):
            word = code[INDEX(k)]
            op = word & OP_BITS
            k0 = k - begin
            if op == _VAR:
                w = X[INDEX(word >> ARG_SHIFT), INDEX(row)]
            elif op == _CONST:
                w = scalar(const[INDEX(begin + (word >> ARG_SHIFT))])
            elif op < _FIRST_BINARY:
                w = unary(op, space[INDEX((k0 - 1) * width + t)])
            else:
                w = binary(op, space[INDEX(left[INDEX(k)] * width + t)], space[INDEX((k0 - 1) * width + t)])
            space[INDEX(k0 * width + t)] = w

    @cuda.jit(device=True)
    def backward(code, left, begin, end, term, first_term, n_term, coef, space, tape, jac):
        """Adds the slopes in the free constants on one row to the lines from ``jac`` on."""
        t = cuda.threadIdx.x
        g = one
        depth, met = 0, 0
        for k in range(end - 1, begin - 1, -1):
            word = code[INDEX(k)]
            k0 = k - begin
            if met < n_term and k0 == term[INDEX(first_term + met)]:
                met += 1
                g = scalar(coef[INDEX(met)])
                depth = 0
            # Nodes without a free constant below are passed over; the others come as they were pushed.
            if word & LIVE:
                op = word & OP_BITS
                below = depth
                if op == _CONST:
                    space[INDEX(jac + (word >> ARG_SHIFT) * line + t)] += g
                    depth -= 1
                elif op < _FIRST_BINARY:
                    g = g * slope(op, space[INDEX((k0 - 1) * width + t)], space[INDEX(k0 * width + t)])
                else:
                    u, v = space[INDEX(left[INDEX(k)] * width + t)], space[INDEX((k0 - 1) * width + t)]
                    first, second = code[INDEX(begin + left[INDEX(k)])] & LIVE, code[INDEX(k - 1)] & LIVE
                    h = g
                    if second:
                        g = h * right_slope(op, u, v, space[INDEX(k0 * width + t)])
                        if first:
                            space[INDEX(tape + depth * width + t)] = h * left_slope(op, u, v)
                            depth += 1
                    else:
                        g = h * left_slope(op, u, v)
                if depth < below and depth >= 0:
                    g = space[INDEX(tape + depth * width + t)]

    @cuda.jit(device=True)
    def triangle(code, left, begin, end, const, term, first_term, n_term, free, X, y, root, space, tape, jac, coef, sums, part,
                 total):  # fmt: skip
        """Σ over all rows of the lower triangle of (C, J, r)ᵀ(C, J, r), row by row, into ``total``, for the whole block; J of
        the first ``free`` constants, r at the coefficients ``coef``."""
        t = cuda.threadIdx.x
        n_row = X.shape[1]
        m = n_term + 1 if n_term > 0 else 0
        last = m + free
        count = (last + 1) * (last + 2) // 2
        parts = max(1, width // count)
        for s in range(t, parts * count, width):
            sums[INDEX(s)] = 0.0
        for base in range(0, n_row, width):
            row = base + t
            for c in range(last + 1):
                space[INDEX(jac + c * line + t)] = zero
            if row < n_row:
                forward(code, left, begin, end, const, X, row, space)
                w = root[INDEX(row)]
                rest = y[INDEX(row)] * w
                if m > 0:
                    space[INDEX(jac + t)] = w
                    rest -= scalar(coef[0]) * w
                    for c in range(1, m):
                        u = space[INDEX(term[INDEX(first_term + c - 1)] * width + t)] * w
                        space[INDEX(jac + c * line + t)] = u
                        rest -= scalar(coef[INDEX(c)]) * u
                else:
                    rest -= space[INDEX((end - begin - 1) * width + t)] * w
                if free > 0:
                    backward(code, left, begin, end, term, first_term, n_term, coef, space, tape, jac + m * line)
                    for c in range(m, last):
                        space[INDEX(jac + c * line + t)] *= w
                space[INDEX(jac + last * line + t)] = rest
            cuda.syncthreads()
            for s in range(t, parts * count, width):
                element, first = s % count, s // count
                a = jac + part[INDEX(element)] // LINES * line + first
                b = jac + part[INDEX(element)] % LINES * line + first
                more = 0.0
                # A counted loop is unrolled.
                for _ in range((width - first + parts - 1) // parts):
                    more += space[INDEX(a)] * space[INDEX(b)]
                    a += parts
                    b += parts
                sums[INDEX(s)] += more
            cuda.syncthreads()
        for element in range(t, count, width):
            more = 0.0
            for first in range(parts):
                more += sums[INDEX(first * count + element)]
            total[INDEX(element)] = more
        cuda.syncthreads()

    @cuda.jit(device=True)
    def places(lines, part):
        """Row and column of each element of the triangle."""
        for a in range(cuda.threadIdx.x, lines, width):
            for b in range(a + 1):
                part[a * (a + 1) // 2 + b] = a * LINES + b
        cuda.syncthreads()

    @kept_kernel
    def normal(ints, floats, n_expr, n_node, X, y, root, longest, height, out):
        space = cuda.shared.array(0, real)
        sums = cuda.shared.array(slots, numba.float64)
        total = cuda.shared.array(ELEMENTS, numba.float64)
        coef = cuda.shared.array(COEFFICIENTS, numba.float64)
        part = cuda.shared.array(ELEMENTS, numba.int32)
        e = cuda.blockIdx.x
        free = ints[FREE_AT + n_expr + e]
        term, code = ints[TERM_AT * n_expr + 1 :], ints[CODE_AT * n_expr + 1 :]
        left, const = code[n_node:], floats[CODE_AT * n_expr :]
        if ints[TERM_COUNT_AT * n_expr + 1 + e] == 0:
            places(free + 1, part)
            tape = longest * width
            triangle(code, left, ints[e], ints[e + 1], const, term, 0, 0, free, X, y, root, space, tape, tape + height * width,
                     coef, sums, part, total)  # fmt: skip
            for element in range(cuda.threadIdx.x, (free + 1) * (free + 2) // 2, width):
                out[e, element] = total[element]

    @cuda.jit(device=True)
    def solve(N, n, steady, damping, right, factor, scale, x):
        """Normal equations of n columns, all but the ``steady`` first damped, by a Cholesky factor scaled to ones on the
        diagonal; the right side is in N from ``right`` on. 0 for a dependent column."""
        for i in range(n):
            d = N[INDEX(i * (i + 1) // 2 + i)] * (1.0 + damping if i >= steady else 1.0)
            scale[INDEX(i)] = 1.0 / d**0.5 if d > 0.0 else 0.0
        for j in range(n):
            for i in range(j, n):
                s = N[INDEX(i * (i + 1) // 2 + j)] * scale[INDEX(i)] * scale[INDEX(j)]
                s *= 1.0 + damping if i == j and i >= steady else 1.0
                for k in range(j):
                    s -= factor[INDEX(i), INDEX(k)] * factor[INDEX(j), INDEX(k)]
                if i == j:
                    factor[INDEX(j), INDEX(j)] = s**0.5 if s > DEPENDENT else 0.0
                else:
                    pivot = factor[INDEX(j), INDEX(j)]
                    factor[INDEX(i), INDEX(j)] = s / pivot if pivot > 0.0 else 0.0
        back(factor, scale, n, N[right:], x)

    @cuda.jit(device=True)
    def refine(N, m, q, coef, factor, scale, x):
        """One step of refinement of the coefficients of the first m columns, of which N was made."""
        right = q * (q + 1) // 2
        solve(N, m, m, 0.0, right, factor, scale, x)
        less = 0.0
        for i in range(m):
            coef[i] += x[i]
            less += 2.0 * x[i] * N[right + i]
            for j in range(m):
                less -= x[i] * x[j] * N[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)]
        for i in range(q):
            for j in range(m):
                N[right + i] -= x[j] * N[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)]
        # What is not a number stays so.
        N[right + q] = 0.0 if N[right + q] < less else N[right + q] - less

    @cuda.jit(device=True)
    def finite(N, n):
        """True if the squares of all n columns are finite."""
        trace = 0.0
        for i in range(n):
            trace += N[i * (i + 1) // 2 + i]
        return trace < np.inf

    @kept_kernel
    def fit(ints, floats, first, n_expr, n_node, X, y, root, longest, height, floor, evaluations):
        space = cuda.shared.array(0, real)
        sums = cuda.shared.array(slots, numba.float64)
        total = cuda.shared.array(ELEMENTS, numba.float64)
        N = cuda.shared.array(ELEMENTS, numba.float64)
        part = cuda.shared.array(ELEMENTS, numba.int32)
        factor = cuda.shared.array((COLUMNS, COLUMNS), numba.float64)
        scale = cuda.shared.array(COLUMNS, numba.float64)
        step = cuda.shared.array(COLUMNS, numba.float64)
        best = cuda.shared.array(MAX_FREE, numba.float64)
        coef = cuda.shared.array(COEFFICIENTS, numba.float64)
        going = cuda.shared.array(1, numba.int32)
        valid = cuda.shared.array(1, numba.int32)
        t = cuda.threadIdx.x
        e = first + cuda.blockIdx.x
        begin, end = ints[e], ints[e + 1]
        n_term, n = ints[TERM_COUNT_AT * n_expr + 1 + e], ints[FREE_AT + n_expr + e]
        term, code = ints[TERM_AT * n_expr + 1 :], ints[CODE_AT * n_expr + 1 :]
        left, const, found = code[n_node:], floats[CODE_AT * n_expr :], floats[2 * n_expr + e * COEFFICIENTS :]
        limit = floats[e]
        tape = longest * width
        jac = tape + height * width
        m = n_term + 1 if n_term > 0 else 0
        q = m + n
        right = q * (q + 1) // 2
        if t == 0:
            going[0] = 0 if n_term == REFUSED else 1
        cuda.syncthreads()
        lowest, damping, done = np.inf, FIRST_DAMPING, 0
        if going[0] == 1:
            places(q + 1, part)
            for i in range(t, n, width):
                best[i] = const[begin + i]
        while going[0] == 1:
            for i in range(t, COEFFICIENTS, width):
                coef[i] = 0.0
            cuda.syncthreads()
            if t == 0:
                valid[0] = 1
            if m > 0:
                triangle(code, left, begin, end, const, term, e * MAX_TERMS, n_term, 0, X, y, root, space, tape, jac, coef,
                         sums, part, total)  # fmt: skip
                if t == 0:
                    valid[0] = 1 if finite(total, m) else 0
                    solve(total, m, m, 0.0, m * (m + 1) // 2, factor, scale, step)
                    for i in range(m):
                        coef[i] = step[i]
            cuda.syncthreads()
            if valid[0] == 1:
                triangle(code, left, begin, end, const, term, e * MAX_TERMS, n_term, n, X, y, root, space, tape, jac, coef,
                         sums, part, total)  # fmt: skip
            if t == 0:
                new = np.inf
                if valid[0] == 1:
                    if m > 0:
                        refine(total, m, q, coef, factor, scale, step)
                    new = total[right + q]
                done += 1
                if new < lowest:
                    if done > 1:
                        damping *= 0.1
                    if (done > 1 and lowest - new < LAST_GAIN * lowest) or not finite(total, q):
                        going[0] = 0
                    lowest = new
                    floats[n_expr + e] = new
                    for k in range(right + q + 1):
                        N[k] = total[k]
                    for i in range(n):
                        best[i] = const[begin + i]
                    for i in range(m):
                        found[i] = coef[i]
                else:
                    damping *= 10.0
                    if done == 1 or damping > 1e6:
                        going[0] = 0
                if n == 0 or done >= evaluations or lowest <= floor or (done >= PATIENCE and lowest > limit):
                    going[0] = 0
                if going[0] == 1:
                    solve(N, q, m, damping, right, factor, scale, step)
                    for i in range(n):
                        const[begin + i] = best[i] + step[m + i]
                else:
                    for i in range(n):
                        const[begin + i] = best[i]
            cuda.syncthreads()

    return normal, fit


def _launch(batch: Batch, double: bool):
    """Threads, and bytes of shared memory; raises ValueError where a program needs more than there is."""
    size, threads = (8 if double else 4), THREADS[double]
    needed = ((batch.longest + batch.height) * threads + batch.columns * (threads + 1)) * size
    fixed = (
        8 * (max(threads, ELEMENTS) + 2 * ELEMENTS + (COLUMNS + 2) * COLUMNS + MAX_FREE + MAX_TERMS)
        + 4 * ELEMENTS
        + 256
    )
    if needed + fixed > SHARED:
        raise ValueError(f"a program has {batch.longest} nodes, more than a block of threads has room for")
    return threads, needed


def normal_equations(batch: Batch, X, y, root):
    """(n_expr, n_element): the lower triangles of (J, r)ᵀ(J, r) row by row, r = root·(y − f), J = root·∂f/∂c of the free
    constants; with p of them the first p(p + 1)/2 elements are JᵀJ, then Jᵀr, then rᵀr. For programs that are no sums."""
    double = X.dtype == np.float64
    threads, shared = _launch(batch, double)
    out = cuda.device_array((batch.n_expr, batch.columns * (batch.columns + 1) // 2), np.float64)
    sizes = batch.n_expr, batch.n_node
    _kernels(double)[0][batch.n_expr, threads, 0, shared](
        batch.ints, batch.floats, *sizes, X, y, root, batch.longest, batch.height, out
    )
    return out


def fit(batch: Batch, first: int, last: int, rows, floor: float, evaluations: int) -> None:
    """Fits programs ``first`` to ``last`` - 1 to the ``rows`` (X, y, root) on the device, in place, as
    :func:`hypo.kernels.cpu.fit_batch.fit_batch` does; ``floor``: a sum of squares that is rounding."""
    X, y, root = rows
    double = X.dtype == np.float64
    threads, shared = _launch(batch, double)
    sizes = first, batch.n_expr, batch.n_node
    _kernels(double)[1][last - first, threads, 0, shared](
        batch.ints, batch.floats, *sizes, X, y, root, batch.longest, batch.height, floor, evaluations
    )
