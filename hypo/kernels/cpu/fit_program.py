"""Least squares in the constants of one postfix program: Levenberg–Marquardt with the linear constants projected out.

Layouts (C order, float64); parameters are ordered with the ``n_linear`` linear ones first. A ``program`` is four arrays and
``rows`` are three:
    op, arg (n_node,)         nodes as in :mod:`hypo.kernels.cpu.evaluate`
    slot    (n_const,)        the parameter of each constant of the program, -1 for a fixed one
    const   (n_const,)        values of the constants
    X       (n_var, n_row)    y, root (n_row,)     ``root`` holds the square roots of the row weights, or is empty
    J       (n_param, n_row)  one contiguous line per parameter: Householder reflections run along rows

With r = root·(y - f) and J = root·df/dθ, the reflections of the linear lines come first: what they leave of r is the
residual at the best linear parameters, and what they leave of the other lines is Kaufman's Jacobian of that residual
(G. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 1973; L. Kaufman, BIT 15, 1975). The damping is Nielsen's.
"""

import numpy as np

from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.evaluate import value_and_gradient
from hypo.kernels.cpu.rows import assign, fill

# A line that earlier ones explain to this share of its length counts as dependent.
DEPENDENT = 1e-14
# Linear parameters that moved by less than this share leave the other derivatives good enough for the next step.
SETTLED = 1e-3
# A residual of this share of the target, squared, is rounding.
ROUNDING = 1e-31
# Reductions that are a smaller share of the sum of squares cannot be measured: its rounding error hides them.
UNSEEN = 1e-12
# Most dampings that are tried for one step.
MOST_TRIALS = 30
# Most undamped steps whose reduction cannot be measured.
MOST_UNSEEN = 40

# How a minimisation stands: out of steps,
RUNNING = 0
# at a minimum,
CONVERGED = 1
# or begun where a value is invalid.
FAILED = 2


@inner(error_model="numpy", fastmath={"reassoc", "contract"})
def _dot(a, b, first):
    total = 0.0
    for i in range(first, a.shape[0]):
        total += a[i] * b[i]
    return total


@inner(error_model="numpy")
def _reflect(J, r, first, last, rank, pivot, diagonal):
    """Triangularise lines ``first``…``last - 1`` of J, from position ``rank`` on; returns the new rank.

    The reflections are applied to the later lines and to r. Line j gets ``diagonal[j]`` at position ``pivot[j]``, which
    is -1 when it depends on those before.
    """
    n = r.shape[0]
    for j in range(first, last):
        line = J[j]
        pivot[j] = -1
        diagonal[j] = 0.0
        if rank >= n:
            continue
        length = np.sqrt(_dot(line, line, rank))
        if not length > DEPENDENT * np.sqrt(_dot(line, line, 0)):
            continue
        head = -length if line[rank] > 0.0 else length
        factor = 1.0 / (head * (line[rank] - head))
        line[rank] -= head
        for k in range(j + 1, J.shape[0]):
            other = J[k]
            share = factor * _dot(line, other, rank)
            for i in range(rank, n):
                other[i] += share * line[i]
        share = factor * _dot(line, r, rank)
        for i in range(rank, n):
            r[i] += share * line[i]
        pivot[j] = rank
        diagonal[j] = head
        rank += 1
    return rank


@kernel(error_model="numpy")
def _project(theta, n_linear, J, r, pivot, diagonal):
    """Moves the linear parameters to their optimum; returns (residual sum of squares, rank, largest relative move)."""
    rank = _reflect(J, r, 0, n_linear, 0, pivot, diagonal)
    moved = 0.0
    step = np.zeros(n_linear)
    for j in range(n_linear - 1, -1, -1):
        if pivot[j] < 0:
            continue
        rest = r[pivot[j]]
        for k in range(j + 1, n_linear):
            rest -= J[k, pivot[j]] * step[k]
        step[j] = rest / diagonal[j]
        theta[j] += step[j]
        if step[j] != 0.0:
            moved = max(moved, abs(step[j]) / abs(theta[j]) if theta[j] != 0.0 else np.inf)
    fill(r[:rank], 0.0)
    return _dot(r, r, rank), rank, moved


# One function, and not one for what is done twice: each that holds the gradient takes seconds to compile.
@kernel(error_model="numpy")
def _at(program, rows, n_linear, theta, limit, work):
    """Residual and Jacobian at ``theta``, whose linear parameters move to their optimum, into the arrays ``work`` (see
    :func:`_workspace`); returns (residual sum of squares, rank), infinite where one is not finite.

    The derivatives are those before that move. Where it was large and the sum of squares is below ``limit``, they are
    taken again; the sum is then that of the values met, not of those foreseen.
    """
    op, arg, slot, const = program
    X, y, root = rows
    f, grad, J, r, pivot, diagonal = work
    n = y.shape[0]
    weighted = root.shape[0] > 0
    rss, rank, moved = np.inf, 0, 0.0
    for again in range(2):
        if again == 1 and not (moved > SETTLED and rss < limit):
            break
        for i in range(slot.shape[0]):
            if slot[i] >= 0:
                const[i] = theta[slot[i]]
        value_and_gradient(op, arg, const, X, f, grad)
        for j in range(J.shape[0]):
            fill(J[j], 0.0)
        for i in range(slot.shape[0]):
            if slot[i] >= 0:
                line, g = J[slot[i]], grad[i]
                if weighted:
                    for k in range(n):
                        line[k] += g[k] * root[k]
                else:
                    for k in range(n):
                        line[k] += g[k]
        for k in range(n):
            r[k] = (y[k] - f[k]) * root[k] if weighted else y[k] - f[k]
        total = _dot(r, r, 0)
        for j in range(J.shape[0]):
            total += _dot(J[j], J[j], 0)
        if not np.isfinite(total):
            return np.inf, 0
        rss, rank, moved = _project(theta, n_linear, J, r, pivot, diagonal)
    return rss, rank


@kernel(error_model="numpy")
def _damped_step(triangle, s, n_linear, damping, scale, step):
    """The step for a damping of the parameters that are not linear; returns the reduction it promises."""
    p = s.shape[0]
    m = p - n_linear
    stacked = np.zeros((m, 2 * m))
    right = np.zeros(2 * m)
    for j in range(m):
        right[j] = s[n_linear + j]
        for k in range(j, m):
            stacked[k, j] = triangle[n_linear + j, n_linear + k]
        stacked[j, m + j] = np.sqrt(damping) * scale[j]
    pivot = np.empty(m, np.int64)
    diagonal = np.empty(m)
    _reflect(stacked, right, 0, m, 0, pivot, diagonal)
    fill(step, 0.0)
    for j in range(m - 1, -1, -1):
        if pivot[j] >= 0:
            rest = right[pivot[j]]
            for k in range(j + 1, m):
                rest -= stacked[k, pivot[j]] * step[n_linear + k]
            step[n_linear + j] = rest / diagonal[j]
    promise = 0.0
    for j in range(n_linear, p):
        change = 0.0
        for k in range(j, p):
            change += triangle[j, k] * step[k]
        promise += change * (2.0 * s[j] - change)
    for j in range(n_linear - 1, -1, -1):
        if triangle[j, j] != 0.0:
            rest = 0.0
            for k in range(j + 1, p):
                rest -= triangle[j, k] * step[k]
            step[j] = rest / triangle[j, j]
    return promise


@kernel()
def _workspace(n_const, n_param, n_row):
    """Room for f (n_row,), its gradient (n_const, n_row), J (n_param, n_row), r (n_row,), and the pivots and diagonal
    (n_param,) of the reflections."""
    f, r = np.empty(n_row), np.empty(n_row)
    grad, J = np.empty((n_const, n_row)), np.empty((n_param, n_row))
    return f, grad, J, r, np.empty(n_param, np.int64), np.empty(n_param)


@kernel(error_model="numpy", nogil=True)
def project(program, rows, n_linear, thetas):
    """Residual sums of squares (n,) of parameters ``thetas`` (n, n_param) with the linear ones moved to their optimum;
    infinite where a value is invalid."""
    n, p = thetas.shape
    op, arg, slot, const = program
    own = (op, arg, slot, const.copy())
    work = _workspace(slot.shape[0], p, rows[1].shape[0])
    out = np.empty(n)
    for i in range(n):
        found = _at(own, rows, n_linear, thetas[i], -np.inf, work)
        out[i] = found[0]
    return out


@inner(error_model="numpy")
def _finish(J, r, n_linear, rank, pivot, diagonal, triangle, s):
    """The triangle (n_param, n_param) and right side of the Gauss–Newton step, once the linear lines are reflected."""
    p = J.shape[0]
    _reflect(J, r, n_linear, p, rank, pivot, diagonal)
    fill(s, 0.0)
    for j in range(p):
        fill(triangle[j], 0.0)
        if pivot[j] >= 0:
            s[j] = r[pivot[j]]
            triangle[j, j] = diagonal[j]
            for k in range(j + 1, p):
                triangle[j, k] = J[k, pivot[j]]


@kernel(error_model="numpy", nogil=True)
def minimise(program, rows, n_linear, theta, damping, steps, tolerance):
    """Up to ``steps`` steps downhill from ``theta``, in place; returns (status, residual sum of squares, damping).

    It has converged when a step gains less than ``tolerance`` times the sum of squares. A ``tolerance`` below what
    rounding lets one see asks for undamped steps without that test for as long as they shrink.
    """
    p = theta.shape[0]
    op, arg, slot, const = program
    own = (op, arg, slot, const.copy())
    _, y, root = rows
    n_row = y.shape[0]
    work = _workspace(slot.shape[0], p, n_row)
    f, _, J, r, pivot, diagonal = work
    triangle, s = np.empty((p, p)), np.empty(p)
    scale = np.zeros(p - n_linear)
    step, trial = np.empty(p), theta.copy()
    rss, rank = _at(own, rows, n_linear, trial, np.inf, work)
    if rss == np.inf:
        return FAILED, rss, damping
    for i in range(n_row):
        f[i] = y[i] * root[i] if root.shape[0] > 0 else y[i]
    floor = ROUNDING * _dot(f, f, 0)
    polish = tolerance < UNSEEN
    unseen, last_promise = 0, np.inf
    growth = 2.0
    assign(theta, trial)
    for _ in range(steps):
        if n_linear == p or rss <= floor:
            return CONVERGED, rss, damping
        _finish(J, r, n_linear, rank, pivot, diagonal, triangle, s)
        for j in range(n_linear, p):
            length = np.sqrt(_dot(triangle[:, j], triangle[:, j], n_linear))
            scale[j - n_linear] = length if length > 0.0 else 1.0
        accepted, blind, new, promise = False, False, np.inf, 0.0
        for _ in range(MOST_TRIALS):
            promise = _damped_step(triangle, s, n_linear, damping, scale, step)
            blind = promise < UNSEEN * rss
            if blind and polish:
                promise = _damped_step(triangle, s, n_linear, 0.0, scale, step)
                unseen += 1
                if not promise < 0.9 * last_promise or unseen > MOST_UNSEEN or promise <= tolerance * rss:
                    return CONVERGED, rss, damping
                last_promise = promise
            for j in range(p):
                trial[j] = theta[j] + step[j]
            limit = rss * (1.0 + UNSEEN) if blind and polish else rss
            new, rank = _at(own, rows, n_linear, trial, limit, work)
            accepted = new < limit
            if accepted or blind:
                break
            damping = max(damping, 1e-12) * growth
            growth *= 2.0
        if not accepted:
            return CONVERGED, rss, damping
        gain = rss - new
        quality = gain / promise if promise > 0.0 else 0.0
        damping = max(damping * max(0.1, 1.0 - (2.0 * quality - 1.0) ** 3), 1e-15)
        growth = 2.0
        rss = new
        assign(theta, trial)
        if not polish and (blind or gain < tolerance * rss):
            return CONVERGED, rss, damping
    return RUNNING, rss, damping
