"""Racing: pairs found on the probe rows are refitted on many more rows and become formulas.

A :class:`Hit` is a pair with its target and form; ``race`` orders hits by an approximate score on the racing rows,
``build`` turns one into a formula with fitted constants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.search.library import Library
from hypo.search.scan import orthonormal
from hypo.search.targets import Target

SINGLE, SUM, PRODUCT, RATIONAL = "single", "sum", "product", "rational"
_KERNEL_FORM = {SINGLE: 0, SUM: 1, PRODUCT: 2, RATIONAL: 1}


@dataclass
class RowSet:
    """Library members as scan rows: ``members`` (n,), and ``logs`` (n,) saying which rows are log|u| instead of u."""

    library: Library
    members: NDArray[np.int64]
    logs: NDArray[np.bool_]
    X: NDArray[np.float64]
    _cache: dict[tuple[int, bool], NDArray[np.float64]] = field(default_factory=dict)

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values (n_row_index, n_data) on the racing rows of the rows numbered ``rows``."""
        keys = [(int(self.members[r]), bool(self.logs[r])) for r in rows]
        missing = sorted({k for k in keys if k not in self._cache})
        if missing:
            with np.errstate(all="ignore"):
                fresh = self.library.evaluate(np.array([m for m, _ in missing]), self.X)
                for key, line in zip(missing, fresh, strict=True):
                    self._cache[key] = np.log(np.abs(line)) if key[1] else line
        return np.array([self._cache[k] for k in keys])

    def cost(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of nodes of the rows' members."""
        return self.library.cost[self.members[rows]]


@dataclass(frozen=True)
class Basis:
    """Fixed columns of a linear fit: values ``(n_basis, n_row)`` and, for a log fit, the variables whose logs they are."""

    values: NDArray[np.float64]
    constant: bool = False
    log_of: tuple[int, ...] = ()


@dataclass(frozen=True)
class Hit:
    """A pair (f, g) of rows explaining a target in one of the forms; ``rss`` in y's units on the racing rows."""

    target: Target
    form: str
    f: RowSet
    i: int
    g: RowSet | None
    j: int
    basis: Basis
    log: bool
    rss: float
    size: float


def race(target: Target, form: str, f: RowSet, i: NDArray[np.int64], g: RowSet | None, j: NDArray[np.int64], basis: Basis,
         y: NDArray[np.float64], weight: NDArray[np.float64], *, log: bool) -> list[Hit]:
    """Refit pairs on the racing rows, where ``y`` and ``weight`` are given, and return hits with their residual sum of
    squares."""
    from hypo.kernels.scan import refit_pairs

    if len(i) == 0:
        return []
    if g is None:
        j = np.zeros(len(i), np.int64)
    used_f, at_f = np.unique(i, return_inverse=True)
    F = f.values(used_f)
    t = target.values
    if g is None:
        G, at_j = F[:1], np.zeros(len(i), np.int64)
    else:
        used_g, at_j = np.unique(j, return_inverse=True)
        G = g.values(used_g)
        if form == RATIONAL:
            G = G * t
    with np.errstate(all="ignore"):
        q = orthonormal(list(basis.values), len(t))
        rss = np.empty(len(i))
        tt = np.log(np.abs(t)) if log else t
        op, side, operands = target.kernel_steps()
        if log:
            # |t| = exp(fit); the sign comes back with the leading constant.
            sign = np.sign(t[0]) if np.all(np.sign(t) == np.sign(t[0])) else 0.0
            op, side = np.concatenate([[oc.EXP, oc.MUL], op]), np.concatenate([[0, 1], side])
            factor = np.full((1, len(t)), sign) if sign else np.sign(t)[None, :]
            operands = np.concatenate([np.zeros((1, len(t))), factor, operands])
        kernel_form = _KERNEL_FORM[form]
        refit_pairs(kernel_form, at_f.astype(np.int64), at_j.astype(np.int64), F, G, q, tt, op, side, operands, y,
                    weight, rss)
    if form == RATIONAL:
        rss = _rational_rss(rss, target, F, G, at_f, at_j, q, t, y, weight)
    size = f.cost(i).astype(float) + (g.cost(j) if g is not None else 0)
    return [Hit(target, form, f, int(a), g, int(b), basis, log, float(r), float(s) + 2 * len(target.steps))
            for a, b, r, s in zip(i, j, rss, size, strict=True) if r < math.inf]


def _rational_rss(rss: NDArray, target: Target, F: NDArray, G: NDArray, at_f: NDArray, at_j: NDArray, q: NDArray,
                  t: NDArray, y: NDArray, weight: NDArray) -> NDArray:
    """The linear fit t = a + b·f + c·(t g) knows t on its right side; judge (a + b·f)/(1 − c·g) itself, best pairs only."""
    from hypo.kernels.scan import apply_steps

    out = np.full(len(rss), math.inf)
    op, side, operands = target.kernel_steps()
    for k in np.argsort(rss, kind="stable")[:100]:
        f, tg = F[at_f[k]], G[at_j[k]]
        A = np.column_stack([*q, f, tg])
        if not np.all(np.isfinite(A)):
            continue
        c = np.linalg.lstsq(A, t, rcond=None)[0]
        p = np.ascontiguousarray((A[:, :-1] @ c[:-1]) / (1.0 - c[-1] * tg / t))
        apply_steps(p, op, side, operands, len(p))
        r = y - p
        total = float(np.sum(weight * r * r))
        out[k] = total if math.isfinite(total) else math.inf
    return out


def build(hit: Hit, columns: Sequence[str]) -> Expression | None:
    """The formula of a hit with its constants fitted to the target on all racing rows, free to be refined."""
    f = hit.f.values(np.array([hit.i]))[0]
    g = hit.g.values(np.array([hit.j]))[0] if hit.g is not None else None
    t = hit.target.values
    u = hit.f.library.expression(int(hit.f.members[hit.i]))
    v = hit.g.library.expression(int(hit.g.members[hit.j])) if hit.g is not None else None
    if hit.log:
        return _build_log(hit, t, f, g, u, v, columns)
    lines = list(hit.basis.values)
    if hit.form == PRODUCT and g is not None:
        lines.append(f * g)
    else:
        lines.append(f)
        if g is not None:
            lines.append(g * t if hit.form == RATIONAL else g)
    A = np.column_stack(lines)
    if not np.all(np.isfinite(A)):
        return None
    scale = np.linalg.norm(A, axis=0)
    c = np.linalg.lstsq(A / scale, t, rcond=None)[0] / scale
    terms: list[Expression] = []
    n = len(hit.basis.values)
    if n:
        terms.append(_free(c[0]))
    if hit.form == PRODUCT and v is not None:
        terms.append(_free(c[n]) * (u * v))
        rhs = _sum(terms)
    elif hit.form == RATIONAL and v is not None:
        terms.append(_free(c[n]) * u)
        rhs = _sum(terms) / (Expression.constant(1.0) + _free(-c[n + 1]) * v)
    else:
        terms.append(_free(c[n]) * u)
        if v is not None:
            terms.append(_free(c[n + 1]) * v)
        rhs = _sum(terms)
    return hit.target.wrap(rhs)


def _build_log(hit: Hit, t: NDArray, f: NDArray, g: NDArray | None, u: Expression, v: Expression | None,
               columns: Sequence[str]) -> Expression | None:
    """|t| = exp(c₀)·Π x^p·Π factor: exponents are rounded to simple fractions where their errors allow it."""
    lines = [*hit.basis.values, f] + ([g] if g is not None else [])
    A = np.column_stack(lines)
    target = np.log(np.abs(t))
    if not np.all(np.isfinite(A)):
        return None
    scale = np.linalg.norm(A, axis=0)
    c, _, rank_, _ = np.linalg.lstsq(A / scale, target, rcond=None)
    if rank_ < A.shape[1]:
        return None
    c = c / scale
    residual = target - A @ c
    freedom = max(1, len(target) - A.shape[1])
    inverse = np.linalg.pinv((A / scale).T @ (A / scale))
    errors = np.sqrt(np.maximum(np.diag(inverse), 0) * float(residual @ residual) / freedom) / scale
    factors: list[Expression] = []
    pieces = [(Expression.variable(columns[k]), True) for k in hit.basis.log_of]
    pieces.append((u, bool(hit.f.logs[hit.i])))
    if v is not None and hit.g is not None:
        pieces.append((v, bool(hit.g.logs[hit.j])))
    shift = len(hit.basis.values) - len(hit.basis.log_of)
    for k, (piece, is_log) in enumerate(pieces):
        p, error = float(c[shift + k]), float(errors[shift + k])
        if not is_log:
            factors.append(Expression.apply("exp", _free(p) * piece))
            continue
        exponent = _rounded(p, error)
        if exponent is not None and exponent == 0:
            continue
        if exponent is None:
            factors.append(piece ** _free(p))
        elif exponent == 1:
            factors.append(piece)
        elif exponent == -1:
            factors.append(Expression.apply("inv", piece))
        elif exponent.denominator == 2 and abs(exponent) == Fraction(1, 2):
            root = Expression.apply("sqrt", piece)
            factors.append(root if exponent > 0 else Expression.apply("inv", root))
        else:
            factors.append(piece ** Expression.constant(float(exponent)))
    product = factors[0] if factors else Expression.constant(1.0)
    for factor in factors[1:]:
        product = product * factor
    from hypo.expression.evaluate import Program

    with np.errstate(all="ignore"):
        p = Program.of(product, columns).value(hit.f.X)
        if not np.all(np.isfinite(p)) or not np.any(p):
            return None
        lead = float((p @ t) / (p @ p))
    if not math.isfinite(lead) or lead == 0.0:
        return None
    return hit.target.wrap(_free(lead) * product)


def _rounded(p: float, error: float) -> Fraction | None:
    """The simplest of 0, k, k/2, k/3, k/4 within 4 standard errors (or rounding) of ``p``, else None."""
    reach = min(max(4.0 * error, 1e-8), 0.12)
    for denominator in (1, 2, 3, 4):
        k = round(p * denominator)
        if abs(p - k / denominator) <= reach:
            return Fraction(k, denominator)
    return None


def _free(value: float) -> Expression:
    return Expression.constant(float(value), free=True)


def _sum(terms: Sequence[Expression]) -> Expression:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
