"""Constants of many postfix programs at once: Levenberg–Marquardt with the coefficients of a sum's terms projected out.

Layouts (C order): a batch of programs is four arrays
    op, arg (n, width) int32   value (n, width) float64   length (n,) int64
with the number of a constant in ``value`` at its node; ``arg`` is -1 for a free constant, the variable's row for ``VAR``.
    X (n_var, n_row)   y, root (n_row,)   ``root`` holds the square roots of the row weights (ones without weights)

With ``linear`` a program that is a sum t1 + … + tK stands for a + b1·t1 + … + bK·tK: the coefficients come from normal
equations with one step of refinement, the other constants from damped Gauss–Newton steps in both together. Gradients are
reverse mode; nodes without a free constant below are evaluated once. Sums of squares are good to about 1e-10 of
themselves: enough to choose by, to be refitted where it counts.
"""

import numpy as np

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.elementary import exp_row, log_row, positive
from hypo.kernels.cpu.evaluate import link_arguments
from hypo.kernels.cpu.operators import binary_block, left_adjoint, right_adjoint, unary_adjoint, unary_block
from hypo.kernels.cpu.rows import assign, fill

MAX_TERMS = 6
MAX_FREE = 12
# A column that the others explain to this share (of its square) gets no coefficient.
DEPENDENT = 1e-12
FIRST_DAMPING = 1e-2
# A step that gains less than this share of the sum of squares is the last.
LAST_GAIN = 1e-4
# A residual of this share of the target, squared, is rounding.
ROUNDING = 1e-26

# Evaluations after which a program above its limit is given up.
PATIENCE = 3

_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY
_ADD, _POW = oc.ADD, oc.POW
# Evaluate the nodes above a free constant, or all. Typed, or numba would compile a variant for either.
_LIVE = np.bool_(True)
_ALL = np.bool_(False)


@inner(error_model="numpy", fastmath={"reassoc", "contract"})
def _dot(a, b):
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@inner(error_model="numpy")
def _factor(A, n, factor, scale):
    """Cholesky factor of A scaled to ones on the diagonal; a dependent column gets a zero pivot."""
    for i in range(n):
        scale[i] = 1.0 / np.sqrt(A[i, i]) if A[i, i] > 0.0 else 0.0
    for j in range(n):
        for i in range(j, n):
            s = A[i, j] * scale[i] * scale[j]
            for k in range(j):
                s -= factor[i, k] * factor[j, k]
            if i == j:
                factor[j, j] = np.sqrt(s) if s > DEPENDENT else 0.0
            else:
                factor[i, j] = s / factor[j, j] if factor[j, j] > 0.0 else 0.0


@inner(error_model="numpy")
def substitute(factor, scale, n, h, x):
    """The solution of A x = h for the factor of A; 0 for dependent columns."""
    for i in range(n):
        s = h[i] * scale[i]
        for k in range(i):
            s -= factor[i, k] * x[k]
        x[i] = s / factor[i, i] if factor[i, i] > 0.0 else 0.0
    for i in range(n - 1, -1, -1):
        s = x[i]
        for k in range(i + 1, n):
            s -= factor[k, i] * x[k]
        x[i] = s / factor[i, i] if factor[i, i] > 0.0 else 0.0
    for i in range(n):
        x[i] *= scale[i]


@kernel(error_model="numpy")
def split_terms(op, left, right, n_node, term):
    """Nodes of the terms of a sum at the root, last term first, into ``term``; how many, or 0 when there are too many."""
    stack = np.empty(n_node, np.int64)
    stack[0] = n_node - 1
    top, count = 1, 0
    while top > 0:
        top -= 1
        k = stack[top]
        if op[k] == _ADD:
            stack[top] = left[k]
            stack[top + 1] = right[k]
            top += 2
        else:
            if count == MAX_TERMS:
                return 0
            term[count] = k
            count += 1
    return count


@inner(error_model="numpy")
def _binary(o, u, v, out, space):
    """``out = o(u, v)``, a power of positive numbers by exp and log."""
    if o == _POW and positive(u):
        log_row(u, space)
        for i in range(u.shape[0]):
            space[i] *= v[i]
        exp_row(space, out)
    else:
        binary_block(o, u, v, out, u.shape[0])


@inner(error_model="numpy")
def _forward(program, value, X, only_live, node, space):
    """Values of all nodes, or of those above a free constant."""
    op, arg, left, right, live = program
    for k in range(left.shape[0]):
        if only_live and not live[k]:
            continue
        o = op[k]
        if o == _VAR:
            assign(node[k], X[arg[k]])
        elif o == _CONST:
            fill(node[k], value[k])
        elif o < _FIRST_BINARY:
            unary_block(o, node[left[k]], node[k], node.shape[1])
        else:
            _binary(o, node[left[k]], node[right[k]], node[k], space)


@inner(error_model="numpy")
def _residual(node, term, linear, rows, C, coef, r, space):
    """Residual at the best coefficients of the nodes ``term``, into r; returns its sum of squares, infinite where a value is
    invalid."""
    A, factor, scale, h, x = space
    _, y, root = rows
    n_row, n_term = y.shape[0], term.shape[0]
    m = 0
    if linear:
        m = n_term + 1
        assign(C[0], root)
        for t in range(n_term):
            line, u = C[t + 1], node[term[t]]
            for i in range(n_row):
                line[i] = u[i] * root[i]
        for i in range(m):
            for j in range(i + 1):
                A[i, j] = _dot(C[i], C[j])
        for i in range(m):
            if not A[i, i] < np.inf:
                return np.inf
        _factor(A, m, factor, scale)
        fill(coef[:m], 0.0)
        for i in range(n_row):
            r[i] = y[i] * root[i]
        for _ in range(2):
            for i in range(m):
                h[i] = _dot(C[i], r)
            substitute(factor, scale, m, h, x)
            for j in range(m):
                coef[j] += x[j]
                line, b = C[j], x[j]
                for i in range(n_row):
                    r[i] -= b * line[i]
    else:
        f = node[term[0]]
        for i in range(n_row):
            r[i] = (y[i] - f[i]) * root[i]
    rss = _dot(r, r)
    return rss if rss < np.inf else np.inf


@inner(error_model="numpy")
def _gradient(program, top, node, adjoint):
    """Adjoints of all live nodes from those of the terms."""
    op, _, left, right, live = program
    n_row = node.shape[1]
    for k in range(left.shape[0] - 1, -1, -1):
        if top[k] or not live[k]:
            continue
        o = op[k]
        if o < _FIRST_UNARY:
            continue
        i, j = left[k], right[k]
        u, w, g = node[i], node[k], adjoint[k]
        if o < _FIRST_BINARY:
            unary_adjoint(o, u, w, g, adjoint[i], n_row)
            continue
        v = node[j]
        if live[i]:
            if o == _POW and positive(u):
                out = adjoint[i]
                for t in range(n_row):
                    out[t] = g[t] * v[t] * w[t] / u[t]
            else:
                left_adjoint(o, u, v, w, g, adjoint[i], n_row)
        if live[j]:
            right_adjoint(o, u, v, w, g, adjoint[j], n_row)


@inner()
def _find_free(program, free):
    """Mark the nodes above (or that are) a free constant in ``live`` and list the free constants in ``free``, as many as it
    has room for; returns how many there are."""
    op, arg, left, right, live = program
    p = 0
    for k in range(left.shape[0]):
        live[k] = False
        if op[k] == _CONST:
            if arg[k] < 0:
                live[k] = True
                if p < MAX_FREE:
                    free[p] = k
                p += 1
        elif op[k] >= _FIRST_UNARY:
            live[k] = live[left[k]] or live[right[k]]
    return p


@inner()
def _mark_joins(op, term, n_term, top):
    """Mark the sums that join the terms in ``top``: all nodes that are no part of a term, none if there are no terms."""
    for t in range(op.shape[0]):
        top[t] = n_term > 0
    for t in range(n_term):
        k = term[t]
        need = 1
        while need > 0:
            top[k] = False
            if op[k] < _FIRST_UNARY:
                need -= 1
            elif op[k] >= _FIRST_BINARY:
                need += 1
            k -= 1


@inner(error_model="numpy")
def _normal_equations(C, r, q, N, g):
    """The first ``q`` lines of C as N = C·Cᵀ (below the diagonal) and g = C·r; returns the trace of N."""
    total = 0.0
    for i in range(q):
        g[i] = _dot(C[i], r)
        for j in range(i + 1):
            N[i, j] = _dot(C[i], C[j])
        total += N[i, i]
    return total


@inner(error_model="numpy")
def _rounding_level(y, root):
    """The sum of squares that is rounding."""
    floor = 0.0
    for i in range(y.shape[0]):
        floor += (y[i] * root[i]) ** 2 * ROUNDING
    return floor


@inner(error_model="numpy")
def _free_lines(adjoint, free, root, lines):
    """J = root·∂f/∂c of the constants at the nodes ``free`` into ``lines`` (n_free, n_row)."""
    for j in range(free.shape[0]):
        line, d = lines[j], adjoint[free[j]]
        for i in range(root.shape[0]):
            line[i] = d[i] * root[i]


@inner()
def _damp(N, m, q, damping, damped):
    """``N`` with the diagonal of the free constants, from ``m`` on, enlarged by the share ``damping``."""
    for i in range(q):
        for j in range(i + 1):
            damped[i, j] = N[i, j]
    for i in range(m, q):
        damped[i, i] *= 1.0 + damping


@kernel()
def _workspace(width, n_row):
    """Arrays that the fits of programs up to ``width`` nodes on ``n_row`` rows share, in the order of :func:`_fit_program`."""
    most = 1 + MAX_TERMS + MAX_FREE
    by_node = np.empty((width, n_row)), np.empty((width, n_row)), np.empty(width, np.bool_), np.empty(width)
    by_row = np.empty((most, n_row)), np.empty(n_row), np.empty(n_row)
    A, factor = np.zeros((most, most)), np.zeros((most, most))
    space = (A, factor, np.empty(most), np.empty(most), np.empty(most))
    normal = np.zeros((most, most)), np.zeros((most, most)), np.empty(most), np.empty(most)
    return by_node, by_row, space, normal, (np.empty(MAX_FREE, np.int64), np.empty(MAX_TERMS + 1))


# It allocates nothing and so counts no references: counts of all the arrays of ``work`` take some per cent of a fit.
@inner(error_model="numpy")
def _fit_program(program, term, value, rows, linear, effort, coef, work):
    """Fits the free constants of one program (op, arg, left, right, live), in place, and the coefficients ``coef`` of its nodes
    ``term``; returns its residual sum of squares. ``effort``: evaluations, the sum of squares that is rounding, and the limit
    of the program. All else is as in :func:`fit_batch`."""
    op = program[0]
    X, _, root = rows
    (node, adjoint, top, trial), (C, r, scratch), space, (N, damped, g, step), (constants, b) = work
    _, factor, scale, _, _ = space
    evaluations, floor, limit = effort
    n_node, n_term = op.shape[0], term.shape[0]
    p = _find_free(program, constants)
    if p > MAX_FREE:
        return np.inf
    free = constants[:p]
    _mark_joins(op, term, n_term if linear else 0, top)
    _forward(program, value, X, _ALL, node, scratch)
    best = _residual(node, term, linear, rows, C, coef, r, space)
    if p == 0 or not best < np.inf:
        return best
    m = n_term + 1 if linear else 0
    q = m + p
    damping = FIRST_DAMPING
    fresh = True
    assign(trial[:n_node], value)
    assign(b, coef)
    for done in range(1, evaluations):
        if best <= floor or (done >= PATIENCE and best > limit):
            break
        if fresh:
            for t in range(n_term):
                adjoint[term[t]] = b[t + 1] if linear else 1.0
            _gradient(program, top, node, adjoint)
            _free_lines(adjoint, free, root, C[m:])
            total = _normal_equations(C, r, q, N, g)
            if not total < np.inf:
                break
            fresh = False
        _damp(N, m, q, damping, damped)
        _factor(damped, q, factor, scale)
        substitute(factor, scale, q, g, step)
        for j in range(p):
            trial[free[j]] = value[free[j]] + step[m + j]
        _forward(program, trial[:n_node], X, _LIVE, node, scratch)
        new = _residual(node, term, linear, rows, C, b, r, space)
        if new < best:
            gain = (best - new) / best
            best = new
            for j in range(p):
                value[free[j]] = trial[free[j]]
            assign(coef, b)
            damping *= 0.1
            fresh = True
            if gain < LAST_GAIN:
                break
        else:
            damping = damping * 10.0
            if damping > 1e6:
                break
    return best


@kernel(error_model="numpy", nogil=True)
def fit_batch(programs, rows, linear, evaluations, limit, rss, coef):
    """Fits the free constants of all ``programs`` (op, arg, value, length) to ``rows`` (X, y, root), in place, by up to
    ``evaluations`` evaluations of each.

    One whose sum of squares is still above its ``limit`` (n,) after ``PATIENCE`` of them is left as it is then.

    ``rss`` (n,): residual sums of squares, infinite where a value is invalid or a program is empty, has more than ``MAX_TERMS``
    terms or ``MAX_FREE`` free constants. ``coef`` (n, MAX_TERMS + 1): a, b1, …, bK of the terms from the last to the first
    (untouched unless ``linear``).
    """
    op, arg, value, length = programs
    _, y, root = rows
    width = op.shape[1]
    work, floor = _workspace(width, y.shape[0]), _rounding_level(y, root)
    links, live = np.empty((2, width), np.int64), np.empty(width, np.bool_)
    term = np.empty(MAX_TERMS, np.int64)
    for e in range(op.shape[0]):
        rss[e] = np.inf
        n = length[e]
        if n == 0:
            continue
        o, left, right = op[e, :n], links[0, :n], links[1, :n]
        link_arguments(o, left, right)
        n_term = 1
        term[0] = n - 1
        if linear:
            n_term = split_terms(o, left, right, n, term)
            if n_term == 0:
                continue
        program, effort = (o, arg[e, :n], left, right, live), (evaluations, floor, limit[e])
        rss[e] = _fit_program(program, term[:n_term], value[e, :n], rows, linear, effort, coef[e], work)
