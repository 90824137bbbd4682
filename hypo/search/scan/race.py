"""Racing: pairs found on the probe rows are refitted on many more rows and become formulas.

A :class:`ScanHit` is a pair with its target and form; ``race`` orders hits by an approximate score on the racing rows,
``build`` turns one into a formula with fitted constants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.search.library.library import LibraryRows
from hypo.search.library.pi_groups import product
from hypo.search.library.unit_rows import orthonormal
from hypo.search.scan.targets import Target

# The forms: b·f + c·g,
SUM = "sum"
# b·f·g,
PRODUCT = "product"
# b·f/(1 + c·g).
RATIONAL = "rational"


@dataclass(frozen=True)
class Basis:
    """Fixed columns of a linear fit: values ``(n_basis, n_row)`` and, for a log fit, the variables whose logs they are."""

    values: NDArray[np.float64]
    constant: bool = False
    log_of: tuple[int, ...] = ()


@dataclass(frozen=True)
class ScanHit:
    """Rows that together explain a target in one of the forms; ``rss`` in y's units on the racing rows.

    With ``log`` the fit is one of log|t| and its terms become factors.
    """

    target: Target
    form: str
    rows: LibraryRows
    terms: tuple[int, ...]
    basis: Basis
    log: bool
    rss: float
    size: float


def race(
    target: Target,
    form: str,
    rows: LibraryRows,
    terms: NDArray[np.int64],
    basis: Basis,
    y: NDArray[np.float64],
    root: NDArray[np.float64],
    *,
    log: bool = False,
) -> list[ScanHit]:
    """Refit tuples of rows ``terms`` (n_hit, n_term) on the racing rows, where ``y`` and the ``root`` of the weights
    are given, and return hits with their residual sum of squares."""
    from hypo.kernels.cpu.pair_scan import refit

    if len(terms) == 0:
        return []
    used, at = np.unique(terms, return_inverse=True)
    at = at.reshape(terms.shape).astype(np.int64)
    t = target.fitted
    own = target.fit_root(root, log)
    with np.errstate(all="ignore"):
        F = rows.values(used) if len(used) else np.empty((0, len(t)))
        if form == RATIONAL:
            F, at = np.concatenate([F, F * target.values]), at + np.array([0, len(used)])
        q = orthonormal(list(basis.values * own), len(t))
        rss = np.empty(len(terms))
        op, side, operands = target.kernel_steps()
        if log:
            # |t| = exp(fit); the signs come back with the leading constant or the factors.
            op, side = np.concatenate([[oc.EXP, oc.MUL], op]), np.concatenate([[0, 1], side])
            t = target.values
            operands = np.concatenate([np.zeros((1, len(t))), np.sign(t)[None, :], operands])
        fit = (np.log(np.abs(t)) if log else t, q, own)
        refit(form == PRODUCT, at, F, fit, (op, side, operands), (y, root), rss)
    if form == RATIONAL:
        rss = _rational_rss(rss, target, F, at, basis, y, root, own)
    size = rows.cost(terms.ravel()).reshape(terms.shape).sum(axis=1) + float(
        _frame(target, form, terms.shape[1], basis)
    )
    return [
        ScanHit(target, form, rows, tuple(int(a) for a in term), basis, log, float(r), float(s))
        for term, r, s in zip(terms, rss, size, strict=True)
        if r < math.inf
    ]


def _frame(target: Target, form: str, n_term: int, basis: Basis) -> int:
    """Nodes of a formula beside its terms: coefficients, the signs between terms, the steps back to y."""
    steps = sum(1 + (len(s.operand) if s.operand is not None else 0) for s in target.steps)
    constant = 2 if basis.constant and not basis.log_of else 0
    if form == PRODUCT:
        return steps + constant + n_term + 1
    if form == RATIONAL:
        return steps + constant + 7
    return steps + constant + 3 * n_term - 1 + 2 * len(basis.log_of)


def _rational_rss(
    rss: NDArray[np.float64],
    target: Target,
    F: NDArray[np.float64],
    at: NDArray[np.int64],
    basis: Basis,
    y: NDArray[np.float64],
    root: NDArray[np.float64],
    own: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The linear fit t = a + b·f + c·(t g) knows t on its right side; judge (a + b·f)/(1 − c·g) itself, best pairs only."""
    from hypo.kernels.cpu.pair_scan import apply_steps

    out = np.full(len(rss), math.inf)
    op, side, operands = target.kernel_steps()
    t = target.values
    for k in np.argsort(rss, kind="stable")[:100]:
        f, tg = F[at[k]]
        A = np.column_stack([*basis.values, f, tg])
        if not np.all(np.isfinite(A)):
            continue
        c = np.linalg.lstsq(A * own[:, None], target.fitted * own, rcond=None)[0]
        p = np.ascontiguousarray((A[:, :-1] @ c[:-1]) / (1.0 - c[-1] * tg / t))
        apply_steps(p, op, side, operands, len(p))
        total = float(np.sum((root * (y - p)) ** 2))
        out[k] = total if math.isfinite(total) else math.inf
    return out


def build(hit: ScanHit, root: NDArray[np.float64], columns: Sequence[str]) -> Expression | None:
    """The formula of a hit with its constants fitted to the target on all racing rows (``root``: of their weights), free to
    be refined."""
    t = hit.target.fitted
    own = hit.target.fit_root(root, hit.log)
    values = hit.rows.values(np.array(hit.terms, np.int64)) if hit.terms else np.empty((0, len(t)))
    parts = [hit.rows.library.expression(int(hit.rows.members[k])) for k in hit.terms]
    if hit.log:
        pieces = [(e, bool(hit.rows.logs[k])) for e, k in zip(parts, hit.terms, strict=True)]
        return power_law(hit.target, hit.basis, values, pieces, hit.rows.X, own, root, columns)
    lines = list(hit.basis.values)
    if hit.form == PRODUCT:
        lines.append(np.prod(values, axis=0))
    elif hit.form == RATIONAL:
        lines += [values[0], values[1] * hit.target.values]
    else:
        lines += list(values)
    A = np.column_stack(lines)
    if not np.all(np.isfinite(A)):
        return None
    scale = np.linalg.norm(A, axis=0)
    c = np.linalg.lstsq(A / scale * own[:, None], t * own, rcond=None)[0] / scale
    n = len(hit.basis.values)
    terms = [_free(c[0])] if n else []
    if hit.form == PRODUCT:
        rhs = _sum([*terms, _free(c[n]) * product(parts)])
    elif hit.form == RATIONAL:
        rhs = _sum([*terms, _free(c[n]) * parts[0]]) / (Expression.constant(1.0) + _free(-c[n + 1]) * parts[1])
    else:
        rhs = _sum([*terms, *(_free(a) * e for a, e in zip(c[n:], parts, strict=True))])
    return hit.target.wrap(rhs)


def power_law(
    target: Target,
    basis: Basis,
    values: NDArray[np.float64],
    pieces: Sequence[tuple[Expression, bool]],
    X: NDArray[np.float64],
    own: NDArray[np.float64],
    root: NDArray[np.float64],
    columns: Sequence[str],
) -> Expression | None:
    """|t| = exp(c₀)·Π x^p·Π factor by least squares in the logarithm.

    ``values`` (n_piece, n_row) are the further columns: log|u| for pieces ``(u, True)``, which become u^p, and u for pieces
    ``(u, False)``, which become exp(p·u). Exponents are rounded to simple fractions where their errors allow it.
    """
    t = target.values
    A = np.column_stack([*basis.values, *values])
    logs = np.log(np.abs(t))
    if not (np.all(np.isfinite(A)) and np.all(np.isfinite(logs))):
        return None
    scale = np.linalg.norm(A, axis=0)
    W = A / scale * own[:, None]
    c, _, rank, _ = np.linalg.lstsq(W, logs * own, rcond=None)
    if rank < A.shape[1]:
        return None
    c = c / scale
    residual = (logs - A @ c) * own
    if target.noisy is not None:
        # One Gauss–Newton step towards the data themselves, whose scatter also says how well the exponents are known.
        with np.errstate(all="ignore"):
            size = np.exp(A @ c)
            away = np.sign(t) * (target.noisy - np.sign(t) * size) / size * own
        if np.all(np.isfinite(away)):
            step = np.linalg.lstsq(W, away, rcond=None)[0]
            residual = away - W @ step
            c = c + step / scale
    freedom = max(1, len(logs) - A.shape[1])
    inverse = np.linalg.pinv(W.T @ W)
    errors = np.sqrt(np.maximum(np.diag(inverse), 0) * float(residual @ residual) / freedom) / scale
    pieces = [*((Expression.variable(columns[k]), True) for k in basis.log_of), *pieces]
    shift = len(basis.values) - len(basis.log_of)
    factors: list[Expression] = []
    for k, (piece, is_log) in enumerate(pieces):
        p, error = float(c[shift + k]), float(errors[shift + k])
        if not is_log:
            factors.append(Expression.apply("exp", _free(p) * piece))
            continue
        exponent = _round_power(p, error)
        if exponent is not None and exponent == 0:
            continue
        if exponent is None:
            factors.append(piece ** _free(p))
        elif exponent == 1:
            factors.append(piece)
        elif exponent == -1:
            factors.append(Expression.apply("inv", piece))
        elif exponent.denominator == 2 and abs(exponent) == Fraction(1, 2):
            sqrt = Expression.apply("sqrt", piece)
            factors.append(sqrt if exponent > 0 else Expression.apply("inv", sqrt))
        else:
            factors.append(piece ** Expression.constant(float(exponent)))
    bare = product(factors) if factors else Expression.constant(1.0)
    with np.errstate(all="ignore"):
        shape = Program.of(bare, columns).value(X)
        if not np.all(np.isfinite(shape)) or not np.any(shape):
            return None
        shape, t = shape * root, t * root
        lead = float((shape @ t) / (shape @ shape))
    if not math.isfinite(lead) or lead == 0.0:
        return None
    return target.wrap(_free(lead) * bare)


def _round_power(p: float, error: float) -> Fraction | None:
    """The simplest of 0, k, k/2, k/3, k/4 within 4 standard errors (or rounding) of ``p``, else None."""
    reach = min(max(4.0 * error, 1e-8), 0.12)
    for denominator in (1, 2, 3, 4):
        k = round(p * denominator)
        if abs(p - k / denominator) <= reach:
            return Fraction(k, denominator)
    return None


def free_sum(coefficients: Sequence[float] | NDArray[np.float64], formulas: Sequence[Expression]) -> Expression:
    """Σ c·u with the coefficients to be fitted; a bare constant where u is 1."""
    return _sum([free_term(c, u) for c, u in zip(coefficients, formulas, strict=True)])


def free_term(c: float, u: Expression) -> Expression:
    """c·u with the coefficient to be fitted; a bare constant where u is 1."""
    return _free(c) if u == Expression.constant(1.0) else _free(c) * u


def _free(value: float) -> Expression:
    return Expression.constant(float(value), free=True)


def _sum(terms: Sequence[Expression]) -> Expression:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
