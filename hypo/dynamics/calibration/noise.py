"""Noise of the samples of each state: constant, in proportion to the state, or both, chosen by evidence.

A sample of state k has the variance

    σ² = s_k² · v,    v = w_k + (1 - w_k)·x̂²/m_k,

with x̂ the fitted path, m_k the mean square of the samples, and w_k from ``MIXES``: 1 is constant noise, the least is noise in
proportion. The level s_k is integrated out under 1/s_k, which leaves, up to what is equal for all systems and kinds of noise,

    misfit_k = ½ n_k log(χ_k²/n_k + f²) + ½ Σ log v,    χ_k² = Σ (y - x̂)²/v   in units of the state's spread.

f is a floor for exact data: below it, errors of rounding and of the integrator are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Shares of the constant part of the variance that are compared.
MIXES = (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4, 1e-6)
# Least noise that misfits tell apart, as a share of the state's spread: the integrator is held well below it.
FLOOR = 1e-6


@dataclass(frozen=True)
class Noise:
    """Noise of the samples by measured state.

    Attributes:
        level: (n_measured,), s of the module's formula, in the units of the state.
        mix: (n_measured,), w of that formula.
        square: (n_measured,), m of that formula.
    """

    level: Values
    mix: Values
    square: Values

    def sd(self, states: Values) -> Values:
        """Standard deviation of one sample at states (n_row, n_measured)."""
        return np.asarray(self.level * np.sqrt(variance(states.T, self.mix[:, None], self.square[:, None]).T))


def variance(states: Values, mix: Values | float, square: Values) -> Values:
    """v of the module's formula at states of any shape that broadcasts with the other two."""
    return np.asarray(mix + (1.0 - mix) * states * states / square)


def misfit_by_state(squares: Values, count: Values, logs: Values, least: Values | float = FLOOR) -> Values:
    """Nats by state (n_measured,): from χ², the number of samples, Σ log v, and the least noise."""
    return np.asarray(0.5 * count * np.log(squares / np.maximum(count, 1.0) + least**2) + 0.5 * logs)


def choose_mix(residuals: Values, predicted: Values, share: Values, square: Values) -> Values:
    """The likeliest mix of each state (n_measured,).

    Args:
        residuals: in units of the spread (n_time, n_measured, n), 0 where there is no sample.
        predicted: fitted path, of that shape.
        share: weight of each sample, of that shape, 0 where there is none.
        square: mean square of the samples (n_measured,).
    """
    count = share.sum((0, 2))
    each = []
    for mix in MIXES:
        v = variance(predicted, mix, square[:, None])
        squares = np.sum(share * residuals**2 / v, axis=(0, 2))
        each.append(misfit_by_state(squares, count, np.sum(share * np.log(v), axis=(0, 2))))
    return np.asarray(np.array(MIXES)[np.argmin(np.array(each), axis=0)])
