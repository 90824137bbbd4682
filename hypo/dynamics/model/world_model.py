"""The world model: laws of motion with their posterior, and the questions that can be put to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.dynamics.model.counterfactual import Counterfactual, find_counterfactual
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.fixed_points import Portrait, find_fixed_points
from hypo.dynamics.model.graph import Graph, make_graph
from hypo.dynamics.model.invariants.invariants import Invariant, find_invariants
from hypo.dynamics.model.rollouts import rollout as rolling
from hypo.dynamics.model.rollouts.bands import Rollout
from hypo.dynamics.model.saving import file, together
from hypo.dynamics.model.score import Score, score_runs
from hypo.dynamics.model.step import Step, take_step
from hypo.dynamics.model.suggest import Limits, Suggestion, suggest_experiments
from hypo.dynamics.reading import Roles, read_trajectories
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.printing import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = NDArray[np.float64]


class WorldModel(ModelFields):
    """Systems of laws found in trajectories, with weights, errors and noise.

    ``WorldModel.fit(data, time="t", state=["x", "v"])`` finds one.
    """

    def __repr__(self) -> str:
        laws = "; ".join(f"{state}: {e.pretty()}" for state, e in self.equations.items())
        return f"<WorldModel {shortened(laws)}; {len(self.systems)} system{'s' * (len(self.systems) != 1)}>"

    def __str__(self) -> str:
        return _introduced.describe(self)

    def _repr_html_(self) -> str:
        return _introduced.draw_page(self)

    @classmethod
    def fit(cls, data: Any, **settings: Any) -> WorldModel:
        """A model of trajectories; the same as :func:`hypo.fit_dynamics`, whose arguments it takes."""
        return _introduced.fit(data, **settings)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model to a folder, ``model.json`` and its data; the path of the former.

        Raises:
            InputError: the folder cannot be written to.
        """
        return file.save(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> WorldModel:
        """The model that :meth:`save` wrote; raises InputError where there is none, or it is damaged."""
        return cls(*file.load(folder))

    @classmethod
    def merge(cls, *models: Any) -> WorldModel:
        """One model from those of the shards of a search, ``fit(…, shard="1/n")`` to ``"n/n"``, or from their folders; also as
        one list. Missing shards are named in ``settings["shards"]``.

        Raises:
            InputError: there is nothing to merge, one is of no shard or there twice, or they are of different data or settings.
        """
        listed = models[0] if len(models) == 1 and isinstance(models[0], list | tuple) else models
        return cls(*together.merge_models(listed))

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write a page for browsers, one file: laws, constants, tables, remarks and pictures; the path of that file.

        Args:
            path: of the file, or of a folder, in which it is called ``report.html``.

        Raises:
            InputError: it cannot be written there.
        """
        return _introduced.save_page(self, path)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """A figure, also written to ``path`` when given: data, fit, band and residuals of each state, phase plane, graph.

        Raises:
            InputError: it cannot be written there.
        """
        return _introduced.plot(self, path)

    def rollout(
        self,
        start: rolling.Start | None = None,
        actions: Any = None,
        *,
        until: float | None = None,
        times: ArrayLike | None = None,
        n_samples: int = 100,
        seed: int = 0,
        events: Sequence[Any] | None = None,
    ) -> Rollout:
        """Trajectories drawn from the posterior: systems by weight, constants from their joint errors.

        Args:
            start: each state by name, exact, or as ``(value, error)``; None: the fitted start of the first run.
            actions: inputs, (n_time, n_action), by name, a frame, or a function of time; None: those recorded with the run.
            until: the end; it begins where the data begin.
            times: or all moments, the first of which is that of the start.
            n_samples: trajectories.
            seed: of the draws; equal seeds give equal trajectories.
            events: ``"x > 2: v = -0.9*v"``, what happens where a condition is met; None: what was found in the data, see
                ``model.events``.

        Raises:
            InputError: something is missing, unknown or no number.
        """
        return rolling.roll_out(
            self, start, actions, until=until, times=times, n_samples=n_samples, seed=seed, events=events
        )

    def rollouts(
        self,
        starts: Sequence[rolling.Start],
        actions: Any = None,
        *,
        until: float | None = None,
        times: ArrayLike | None = None,
        n_samples: int = 100,
        seed: int = 0,
    ) -> tuple[Rollout, ...]:
        """Rollouts from several starts in one batch, with the same draws of systems and constants; see :meth:`rollout`."""
        course = rolling.plan(self, actions, until, times, None)
        return rolling.roll_out_many(self, starts, course, n_samples, seed)

    def predict(
        self,
        start: rolling.Start | None = None,
        actions: Any = None,
        *,
        until: float | None = None,
        times: ArrayLike | None = None,
    ) -> Values:
        """States (n_time, n_state) of the likeliest system with its fitted constants; see :meth:`rollout`."""
        return np.asarray(self.rollout(start, actions, until=until, times=times, n_samples=1).centres[0])

    def step(
        self, state: rolling.Start, action: Mapping[str, float] | None = None, *, duration: float | None = None
    ) -> Step:
        """The state one step later, for a constant input.

        Args:
            state: each state by name, exact, or as ``(value, error)``.
            action: inputs by name.
            duration: of the step; by default the usual time between rows of the data.

        Raises:
            InputError: a state, an input or the duration is missing or wrong.
        """
        return take_step(self, state, action, duration)

    def score(self, data: Any, *, group: Any = None) -> Score:
        """How well the model predicts other runs, from their first samples.

        Args:
            data: a file, frame or arrays with the columns of the fit, or trajectories.
            group: the column that tells runs apart.

        Raises:
            DataError: columns are missing, or the data cannot be used.
        """
        measured = self.states[: self.system.n_measured]
        roles = Roles(self.data.time, list(measured), list(self.actions), group)
        return score_runs(self, read_trajectories(data, roles, discrete=self.system.is_discrete))

    def counterfactual(
        self,
        trajectory: str | int | Trajectories = 0,
        actions: Any = None,
        *,
        do: Mapping[str, Any] | None = None,
        n_samples: int = 100,
        seed: int = 0,
    ) -> Counterfactual:
        """A recorded run, with its own start and errors, as it would have been with other inputs or another law.

        Args:
            trajectory: a run of the data by name or number, or new trajectories of one run.
            actions: inputs instead of the recorded ones, as :meth:`rollout` takes them.
            do: parts of the law that are set: ``{"k": 0}`` a constant, ``{"x": "-0.1*x"}`` a law, ``{"u": 0}`` an input.
            n_samples: trajectories.
            seed: of the draws.

        Raises:
            InputError: nothing is changed, or a name or number is wrong.
        """
        return find_counterfactual(self, trajectory, actions, do, n_samples, seed)

    def suggest(
        self,
        start_range: Mapping[str, tuple[float, float]] | None = None,
        action_range: Mapping[str, tuple[float, float]] | None = None,
        *,
        until: float | None = None,
        n: int = 5,
        limits: Mapping[str, tuple[float, float]] | None = None,
        seed: int = 0,
    ) -> tuple[Suggestion, ...]:
        """The next experiments: starts and courses of inputs that tell rival systems apart, or determine constants.

        Args:
            start_range: by state, where experiments may begin; by default the box of the data.
            action_range: by input, its limits; by default those of the data.
            until: how long; by default as long as the longest run.
            n: experiments, each chosen with the ones before it done.
            limits: by state, the range that no likely system may leave on the way.
            seed: of the search.

        Raises:
            InputError: a name or range is wrong, or no experiment keeps within the limits.
        """
        limits_ = Limits.of(self, start_range, action_range, until, limits)
        return suggest_experiments(self, limits_, n, seed)

    def graph(self) -> Graph:
        """Which variables drive which, with the weight of the systems in which they do."""
        return make_graph(self)

    def invariants(self, seed: int = 0) -> tuple[Invariant, ...]:
        """Quantities that the likeliest system keeps, or can only lose."""
        return find_invariants(self, seed)

    def fixed_points(self, actions: dict[str, float] | None = None) -> Portrait:
        """States in the box of the data at which the likeliest system stands still, their stability, and its cycle."""
        return find_fixed_points(self, actions)


class _Introduced:
    """The function that fits models. It stands above them and makes them: it introduces itself (:func:`fit_by`)."""

    fit: Callable[..., WorldModel]
    describe: Callable[[WorldModel], str] = staticmethod(repr)
    draw_page: Callable[[WorldModel], str] = staticmethod(repr)
    save_page: Callable[..., Path]
    plot: Callable[..., Figure]


_introduced = _Introduced()


def shown_by(
    text: Callable[[WorldModel], str],
    page: Callable[[WorldModel], str],
    save_page: Callable[..., Path],
    plot: Callable[..., Figure],
) -> None:
    """Let models be printed by ``text``, shown in notebooks by ``page``, which gives HTML, and written and drawn by the
    others, which take a model and a path."""
    _introduced.describe, _introduced.draw_page = text, page
    _introduced.save_page, _introduced.plot = save_page, plot


def fit_by(function: Callable[..., WorldModel]) -> None:
    """Let ``WorldModel.fit`` be answered by ``function``, which :mod:`hypo.dynamics.fit` calls this with."""
    _introduced.fit = function
