"""Effects of extra terms: residuals of a fitted system are nearly linear in small changes of its right-hand side.

With ε·g(x) added to the rate of state j the path changes by ε·δ,

    δ' = J(x(t))·δ + e_j g(x(t)),   δ(0) = 0.

With Φ_i the change of the state at row i+1 by that at row i, and the integrals over one interval by Gauss's rule,

    δ_{i+1} = Φ_i δ_i + Σ_q w_q Φ(t_{i+1}, t_q) e_j g(x(t_q)),

which is one linear recurrence for all terms of a library. Whatever a change of starts or of present parameters could do as well
is projected out, so that a column's correlation with the residuals is what the term alone adds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.course import Clocks, Course, follow_course
from hypo.dynamics.calibration.quality import segments_of, sizes
from hypo.dynamics.calibration.segments import Segments
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]
Library = Sequence[Expression] | Callable[[Values], Values]

# Nodes of Gauss's rule between two rows: exact for polynomials of degree 7.
NODES = 4
# Relative accuracy of paths.
ACCURACY = 1e-9
# Least part of a column that is left when starts and parameters are projected out; below it the term tells nothing of its own.
LEAST_LEFT = 1e-6


@dataclass(frozen=True)
class Tangent:
    """Residuals at the samples, in units of their noise, and what terms of a library would add to them.

    Attributes:
        residuals: (n_sample,), fitted less measured.
        columns: (n_sample, n_term), change of the residuals by one unit of each term; 0 for a term that adds nothing.
    """

    residuals: Values
    columns: Values


class Linearised:
    """A fitted system along the data: made once, asked for every equation and library.

    Raises ValueError for laws that look back: a change of theirs acts again later, which one interval does not tell.
    """

    def __init__(self, calibrated: Calibrated, data: Trajectories) -> None:
        self.system: System = calibrated.system
        if self.system.delays:
            raise ValueError("the effects of extra terms in laws with delays are not known; leave the delays out")
        self.seg: Segments = segments_of(calibrated, data)
        theta, scale = self.system.parameters, sizes(calibrated)
        starts = np.column_stack([s.start for s in calibrated.segments])
        m = self.system.n_measured
        clocks = Clocks(self.seg.time, self.seg.actions, self.seg.past)
        self.course: Course = follow_course(self.system, clocks, starts, theta, scale, ACCURACY)
        sd = calibrated.measurement.sd(np.moveaxis(self.course.states[:, :m], 1, 2).reshape(-1, m))
        sd = np.moveaxis(sd.reshape(len(self.seg.time), self.seg.n, m), 2, 1)
        self.weight = np.sqrt(self.seg.share) / sd
        self._propagate(theta, scale)

    def _propagate(self, theta: Values, scale: Values) -> None:
        """States at the nodes of every interval, and what a change there does to the next row."""
        T, d, S = self.course.states.shape
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        nodes, weights = (nodes + 1) / 2, weights / 2
        before = self.course.states[:-1]
        flat = np.moveaxis(before, 1, 0).reshape(d, -1)
        h = np.diff(self.seg.time, axis=0).ravel()
        places = np.concatenate([[0.0], nodes, [1.0]])
        time = self.seg.time[:-1].ravel() + places[:, None] * h
        u = np.moveaxis(self.seg.actions, 1, 0)
        step = np.zeros_like(places) if self.system.hold == "zero" else places
        shape = (len(u), len(h))
        actions = u[:, :-1].reshape(shape) + step[:, None, None] * np.diff(u, axis=1).reshape(shape)
        local = follow_course(self.system, Clocks(time, actions), flat, theta, scale, ACCURACY)
        moves = np.moveaxis(local.by_start, 3, 1)  # (node, interval, state, state)
        self.moves = moves[-1].reshape(T - 1, S, d, d)
        if self.system.is_discrete:
            at = slice(0, 1)
            # The change of the next value is the term itself, and nothing while the clock stands.
            self.response = np.eye(d) * (h > 0)[None, :, None, None]
        else:
            at = slice(1, -1)
            self.response = moves[-1] @ np.linalg.inv(moves[at]) * (weights[:, None] * h)[:, :, None, None]
        self.at = np.concatenate([local.states[at], actions[at]], axis=1)
        if self.system.time:
            self.at = np.concatenate([self.at, time[at][:, None, :]], axis=1)

    def tangent(self, equation: int, library: Library) -> Tangent:
        """Effects of the terms of a library in one equation."""
        T, d, S = self.course.states.shape
        m = self.system.n_measured
        n_node, n_column, n = self.at.shape
        G = evaluate_library(library, np.moveaxis(self.at, 1, 0).reshape(n_column, -1), self.system.columns)
        G = G.reshape(len(G), n_node, n)
        force = np.einsum("qis,kqi->isk", self.response[..., equation], G).reshape(T - 1, S, d, len(G))
        delta = _scan(self.moves, force)
        columns = np.moveaxis(delta[:, :, :m], 2, 1) * self.weight[..., None]
        residuals = (self.course.states[:, :m] - self.seg.samples) * self.weight
        return self._projected(residuals, columns)

    def _projected(self, residuals: Values, columns: Values) -> Tangent:
        """Residuals (n_time, n_measured, n) and columns (…, n_term) of that shape less what starts and parameters explain."""
        T, m, S = residuals.shape
        rows = T * m

        def by_segment(slopes: Values) -> Values:
            weighted = slopes[:, :m] * self.weight[:, :, None, :]
            return np.moveaxis(weighted, 3, 0).reshape(S, rows, slopes.shape[2])

        r = np.moveaxis(residuals, 2, 0).reshape(S, rows, 1)
        C = np.moveaxis(columns, 2, 0).reshape(S, rows, columns.shape[3])
        size = np.sqrt(np.einsum("srk,srk->k", C, C))
        together = np.concatenate([r, C, by_segment(self.course.by_parameter)], axis=2)
        Q = np.linalg.qr(by_segment(self.course.by_start))[0]
        together = together - Q @ (np.swapaxes(Q, 1, 2) @ together)
        together = together.reshape(S * rows, -1)
        K = C.shape[2]
        own = together[:, 1 + K :]
        if own.shape[1]:
            lengths = np.linalg.norm(own, axis=0)
            q = np.linalg.svd(own / np.where(lengths > 0, lengths, 1.0), full_matrices=False)[0]
            together = together - q @ (q.T @ together)
        known = np.moveaxis(self.seg.share > 0, 2, 0).ravel()
        rest = np.linalg.norm(together[:, 1 : 1 + K], axis=0)
        tells = rest > LEAST_LEFT * np.maximum(size, 1e-300)
        return Tangent(together[known, 0], np.where(tells, together[known, 1 : 1 + K], 0.0))


def evaluate_library(library: Library, X: Values, columns: Sequence[str]) -> Values:
    """Values (n_term, n) of a library at columns X (n_column, n); a term that is not finite everywhere is 0."""
    if callable(library):
        out = library(X)
    else:
        X = np.ascontiguousarray(X)
        names = tuple(columns)
        out = np.array([Program.of(term, names).value(X) for term in library]).reshape(len(library), X.shape[1])
    finite = np.asarray(np.isfinite(out).all(1))
    return np.where(finite[:, None], out, 0.0)


def _scan(moves: Values, force: Values) -> Values:
    """δ (n + 1, …, d, K) of δ_{i+1} = M_i δ_i + F_i from δ_0 = 0, in log₂ n rounds: two intervals are as one with M₂M₁ and
    M₂F₁ + F₂."""
    M, F = moves, force
    shift = 1
    while shift < len(M):
        F = np.concatenate([F[:shift], M[shift:] @ F[:-shift] + F[shift:]])
        M = np.concatenate([M[:shift], M[shift:] @ M[:-shift]])
        shift *= 2
    return np.concatenate([np.zeros_like(F[:1]), F])
