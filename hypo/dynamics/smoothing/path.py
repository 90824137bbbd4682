"""The smooth path of a state along one run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.smoothing.curves import Curve

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Correlation between errors from which on two rows count as one witness.
ALIKE = 0.5
# Rows looked at together for their correlations: more than an error correlates over.
REACH = 200
# A step that crosses this share of the range, taken by one step in five, ...
FAR = 1 / 3
OFTEN = 0.8
# ... and steps that turn back this often: between two samples anything may have happened.
TURNS = 0.25
# The same where the state correlates over fewer steps than this: what looks like noise may be motion.
LEAST_LENGTH = 2.5
# Covariances that are kept for the next equation, and the most moments of one: 4 MB a path.
KEPT = 3
MOST_KEPT = 400


@dataclass(frozen=True)
class Path:
    """A state along one run.

    Attributes:
        time: (n,), distinct moments.
        value, rate, second: (n,), means of the state, of its rate of change and of the rate of that.
        value_sd, rate_sd, second_sd: (n,), their posterior standard deviations.
        noise: standard deviation of one measurement, by moment (n,).
        log_likelihood: of the samples of all runs of the state, for comparisons.
        length: correlation length, in units of time.
        is_log: True where the logarithm was smoothed.
        is_exact: True where the samples have no noise that could be seen, and a spline connects them.
        clipped: (n,), True at moments where the state was held at an extreme value; the path says nothing there.
        hides_motion: True where what counts as noise follows from the samples before.
        curve: the path at any time.
        independent: by order of the derivative what :func:`effective_rows` found, which each search asks for.
        joint: what :meth:`joint_errors` last gave, by order and times.
    """

    time: Values
    value: Values
    rate: Values
    second: Values
    value_sd: Values
    rate_sd: Values
    second_sd: Values
    noise: Values
    log_likelihood: float
    length: float
    is_log: bool
    is_exact: bool
    clipped: Mask
    hides_motion: bool
    curve: Curve
    independent: dict[int, NDArray[np.int64]] = field(default_factory=dict, compare=False, repr=False)
    joint: dict[tuple[int, bytes], Values] = field(default_factory=dict, compare=False, repr=False)

    def at(self, time: Values) -> tuple[Values, Values, Values]:
        """Value, rate and second derivative at any times (m,)."""
        value, rate, second = self.curve.local(np.asarray(time, float))
        return value, rate, second

    def errors(self, time: Values) -> tuple[Values, Values, Values]:
        """Standard deviations of value, rate and second derivative at any times (m,)."""
        variances = np.einsum("maa->am", self.curve.errors(np.asarray(time, float)))
        value, rate, second = np.sqrt(np.maximum(variances, 0.0))
        return value, rate, second

    def noise_at(self, time: Values) -> Values:
        """Standard deviation of one measurement at any times (m,)."""
        return np.asarray(np.interp(time, self.time, self.noise))

    def joint_errors(self, time: Values, order: int) -> Values:
        """Covariance (m, m) between the errors of the ``order``-th derivative at all times (m,); the equations of a system ask
        for the same ones."""
        if len(time) > MOST_KEPT:
            return self.curve.joint_errors(time, order)
        key = (order, np.asarray(time, float).tobytes())
        if key not in self.joint:
            while len(self.joint) >= KEPT:
                del self.joint[next(iter(self.joint))]
            self.joint[key] = self.curve.joint_errors(time, order)
        return self.joint[key]

    @property
    def is_undersampled(self) -> bool:
        """True where no smoother can fill the gaps between samples.

        Steps often cross more than a third of the range and often turn back, or the state correlates over hardly more than
        one, or what seems to be noise is not.
        """
        steps = np.diff(self.value)
        if self.hides_motion:
            return True
        if len(steps) < 2 or np.ptp(self.value) == 0:
            return False
        if self.length < LEAST_LENGTH * float(np.median(np.diff(self.time))):
            return True
        turns = np.mean(steps[1:] * steps[:-1] < 0)
        return bool(np.quantile(np.abs(steps), OFTEN) > np.ptp(self.value) * FAR and turns > TURNS)


def correlations(covariance: Values) -> Values:
    """The correlation matrix of a covariance; 0 where a variance is none."""
    sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.outer(sd, sd)
    return np.asarray(np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0))


def effective_rows(path: Path, order: int = 1) -> NDArray[np.int64]:
    """Moments whose errors of the ``order``-th derivative are nearly independent, from the first on.

    Each is the next whose correlation with the one before is below ``ALIKE``; clipped moments are left out.
    """
    if order not in path.independent:
        path.independent[order] = _find_independent(path, order)
    return path.independent[order]


def _find_independent(path: Path, order: int) -> NDArray[np.int64]:
    n = len(path.time)
    rows = [0] if n else []
    while rows and rows[-1] < n - 1:
        begin = rows[-1]
        c = correlations(path.curve.joint_errors(path.time[begin : begin + REACH], order))
        row = 0
        # The next block begins at the last row of this one that sees half of a block ahead.
        while row <= len(c) // 2 or begin + len(c) == n:
            beyond = np.flatnonzero(c[row, row + 1 :] < ALIKE)
            if not len(beyond):
                break
            row += 1 + int(beyond[0])
            rows.append(begin + row)
        if begin + len(c) == n:
            break
        if row == 0:
            rows.append(begin + len(c))
    kept = np.array(rows, np.int64)
    return kept[~path.clipped[kept]]
