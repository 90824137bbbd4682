"""All that a world model knows. What answers a question about a model sees these fields; the model itself stands on top."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.contacts.found import FoundEvent
from hypo.dynamics.contacts.pieces import find_pieces
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.model.names import name_parameters, round_equations
from hypo.dynamics.smoothing.smoothed import Smoothed, smooth_all
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import InputError
from hypo.expression.expr import Expression

Values = NDArray[np.float64]


class ModelFields:
    """Systems with weights, the data that they were fitted to, and what was said of them.

    Attributes:
        discovered: what the discovery left.
        settings: of the discovery, as the manifest has them.
        drawn: draws of constants that were made, for later questions.
    """

    def __init__(self, discovered: Discovered, settings: Mapping[str, Any] | None = None) -> None:
        self.discovered = discovered
        self.settings: Mapping[str, Any] = MappingProxyType(dict(settings or {}))
        self.drawn: dict[Any, Any] = {}

    @property
    def systems(self) -> tuple[WeightedSystem, ...]:
        """Systems with weights, likeliest first; laws that were not met have the rest."""
        return self.discovered.systems

    @property
    def best(self) -> Calibrated:
        """The likeliest system, as fitted."""
        return self.discovered.best

    @property
    def system(self) -> System:
        """The likeliest system."""
        return self.best.system

    @property
    def data(self) -> Trajectories:
        """The trajectories of the fit."""
        return self.discovered.smoothed.data

    @cached_property
    def smoothed(self) -> Smoothed:
        """Smoothed paths of the data; a loaded model smooths them again, with the same result."""
        return self.discovered.smoothed if self.discovered.smoothed.paths else smooth_all(self.data)

    @property
    def states(self) -> tuple[str, ...]:
        """All states, the measured ones first."""
        return self.system.states

    @property
    def actions(self) -> tuple[str, ...]:
        """Recorded inputs."""
        return self.system.actions

    @property
    def equations(self) -> dict[str, Expression]:
        """By state the law of its rate, or of its next value, fitted numbers with the digits that the samples tell:
        ``model.equations["x"].pretty()``."""
        return dict(zip(self.system.states, round_equations(self.best), strict=True))

    @property
    def noise(self) -> dict[str, float]:
        """By measured state the standard deviation of one measurement."""
        return {name: float(s) for name, s in zip(self.states, self.best.noise, strict=False)}

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences for the user."""
        return self.discovered.remarks

    @property
    def events(self) -> tuple[FoundEvent, ...]:
        """Walls and bounds that were found in the data; rollouts have them unless others are given."""
        return self.discovered.events

    @property
    def process_noise(self) -> dict[str, tuple[float, float]]:
        """By state the level of random forces on it, per root of time (in discrete time per step), and its standard error; 0
        where errors of measurement explain the data, empty where that cannot be told."""
        forcing = self.discovered.forcing
        if forcing is None:
            return {}
        pairs = zip(self.states, forcing.level, forcing.error, strict=True)
        return {name: (float(q), float(error)) for name, q, error in pairs}

    @property
    def effective_rows(self) -> tuple[int, ...]:
        """By equation the number of independent rows of its rate."""
        return self.discovered.effective_rows

    @property
    def covariance(self) -> Values:
        """Joint covariance of the constants of the likeliest system, across equations (n_parameter, n_parameter)."""
        return self.best.covariance

    @property
    def constants(self) -> dict[str, tuple[float, float]]:
        """By name the value of each fitted constant of the likeliest system, and its standard error."""
        errors = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        rows = zip(name_parameters(self.system), self.system.parameters, errors, strict=True)
        return {name: (float(value), float(sd)) for name, value, sd in rows}

    def find_run(self, trajectory: str | int) -> int:
        """The number of a run of the data, by name or number.

        Raises:
            InputError: there is no such run.
        """
        names = [run.name for run in self.data.runs]
        pieces = find_pieces(self.data, trajectory) if isinstance(trajectory, str) else []
        if pieces and trajectory not in names:
            return pieces[0]
        if isinstance(trajectory, str) and trajectory in names:
            return names.index(trajectory)
        if isinstance(trajectory, int) and not isinstance(trajectory, bool) and 0 <= trajectory < len(names):
            return trajectory
        have = ", ".join(repr(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
        raise InputError(
            f"there is no run {trajectory!r} in {self.data.source}; give one of {have}, or a number from 0 to {len(names) - 1}"
        )

    def run(self, trajectory: str | int) -> Run:
        """A run of the data, by name or number; raises InputError where there is none."""
        return self.data.runs[self.find_run(trajectory)]
