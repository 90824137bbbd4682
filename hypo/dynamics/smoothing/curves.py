"""Curves through the samples of one run, evaluated at any time: means of Gaussian processes, or splines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, make_interp_spline
from scipy.ndimage import maximum_filter1d

from hypo.dynamics.smoothing.coordinates import Coordinates
from hypo.dynamics.smoothing.process import ORDERS, Process

Values = NDArray[np.float64]

# Places that are evaluated at once: bounds the memory of kernels between places and samples.
BATCH = 1000
# Degree of the spline through exact samples.
DEGREE = 5
# Degree of the one that shows how far to trust it.
DEGREE_OF_CHECK = 7
# Neighbours over which the largest difference between both splines counts.
NEIGHBOURS = 5
# Least relative error of a spline's value and its derivatives: rounding of the samples, enlarged by each difference.
ROUNDING = (1e-10, 1e-8, 1e-6)


class Curve(Protocol):
    """A state over time with its errors."""

    def local(self, time: Values) -> Values:
        """Value, rate and second derivative (3, m)."""
        ...

    def errors(self, time: Values) -> Values:
        """Covariances (m, 3, 3) of their errors at each time."""
        ...

    def joint_errors(self, time: Values, order: int) -> Values:
        """Covariance (m, m) between the errors of the ``order``-th derivative at all times."""
        ...


@dataclass(frozen=True)
class SmoothCurve:
    """Gaussian processes in windows that overlap, blended linearly from the middle of one to the middle of the next."""

    coordinates: Coordinates
    pieces: tuple[Process, ...]

    def local(self, time: Values) -> Values:
        """Value, rate and second derivative (3, m)."""
        return _in_batches(self._local, time, 1)

    def _local(self, time: Values) -> Values:
        out = np.zeros((3, len(time)))
        for piece, w, rows, share in self._shares(time):
            out[:, rows] += share * self.coordinates.back(piece.means(w), time[rows])[0]
        return out

    def errors(self, time: Values) -> Values:
        """Covariances (m, 3, 3) of their errors at each time."""
        return _in_batches(self._errors, time, 0)

    def _errors(self, time: Values) -> Values:
        out = np.zeros((len(time), 3, 3))
        for piece, w, rows, share in self._shares(time):
            G = self.coordinates.back(piece.means(w), time[rows])[1]
            out[rows] += share[:, None, None] * (G @ piece.errors(w) @ G.transpose(0, 2, 1))
        return out

    def joint_errors(self, time: Values, order: int) -> Values:
        """Covariance (m, m) between the errors of the ``order``-th derivative; windows count as independent of each other."""
        m = len(time)
        out = np.zeros((m, m))
        for piece, w, rows, share in self._shares(time):
            G = self.coordinates.back(piece.means(w), time[rows])[1][:, order]
            own = piece.joint_errors(w, G)
            out[np.ix_(rows, rows)] += np.sqrt(np.outer(share, share)) * own
        return out

    def _shares(self, time: Values) -> list[tuple[Process, Values, NDArray[np.int64], Values]]:
        """Pieces with the stretched times, rows and weights of the times that they have a part in."""
        w = self.coordinates.warp(time)[0]
        if len(self.pieces) == 1:
            return [(self.pieces[0], w, np.arange(len(time)), np.ones(len(time)))]
        middles = np.array([0.5 * (p.nodes[0] + p.nodes[-1]) for p in self.pieces])
        out = []
        for k, piece in enumerate(self.pieces):
            share = np.interp(w, middles, np.arange(len(middles)) == k)
            rows = np.flatnonzero(share > 0)
            if len(rows):
                out.append((piece, w[rows], rows, share[rows]))
        return out


@dataclass(frozen=True)
class ExactCurve:
    """A quintic spline through samples without noise; its errors are differences from a spline of another degree.

    Attributes:
        coordinates: those in which the state is interpolated.
        splines: the value by stretched time and its slopes.
        nodes: (m,), stretched times of the samples and of the middles between them.
        differences: (3, m), errors of value and slopes there.
    """

    coordinates: Coordinates
    splines: tuple[BSpline, ...]
    nodes: Values
    differences: Values

    @staticmethod
    def through(coordinates: Coordinates, time: Values, values: Values) -> ExactCurve:
        """The spline through samples (n,) at times (n,)."""
        w, z = coordinates.warp(time)[0], coordinates.smoothed(values)
        most = len(time) - 1 - (len(time) % 2)  # degrees are odd
        spline = make_interp_spline(w, z, min(DEGREE, most))
        other = make_interp_spline(w, z, DEGREE_OF_CHECK if most >= DEGREE_OF_CHECK else spline.k - 2)
        at = np.sort(np.concatenate([w, 0.5 * (w[1:] + w[:-1])]))
        splines = tuple(spline.derivative(order) if order else spline for order in ORDERS)
        differences = []
        for order, own in enumerate(splines):
            # Of four samples the other one is a broken line, which does not bend.
            again = other.derivative(order)(at) if 0 < order <= other.k else np.zeros(len(at)) if order else other(at)
            apart = np.abs(own(at) - again)
            size = float(np.max(np.abs(own(at))))
            differences.append(np.maximum(maximum_filter1d(apart, NEIGHBOURS), ROUNDING[order] * size))
        return ExactCurve(coordinates, splines, at, np.array(differences))

    def local(self, time: Values) -> Values:
        """Value, rate and second derivative (3, m)."""
        return self._local(time)[0]

    def _local(self, time: Values) -> tuple[Values, Values, Values]:
        w = self.coordinates.warp(time)[0]
        return (*self.coordinates.back(np.array([s(w) for s in self.splines]), time), w)

    def errors(self, time: Values) -> Values:
        """Covariances (m, 3, 3) of their errors at each time."""
        _, G, w = self._local(time)
        own = np.array([np.interp(w, self.nodes, each) ** 2 for each in self.differences])
        return np.asarray(np.einsum("mab,bm,mcb->mac", G, own, G))

    def joint_errors(self, time: Values, order: int) -> Values:
        """Covariance (m, m) between the errors of the ``order``-th derivative: none between different times."""
        return np.diag(self.errors(time)[:, order, order])


def _in_batches(evaluate: Callable[[Values], Values], time: Values, axis: int) -> Values:
    parts = [evaluate(time[k : k + BATCH]) for k in range(0, len(time), BATCH)]
    return np.concatenate(parts, axis) if parts else evaluate(time)
