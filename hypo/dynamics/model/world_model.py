"""The world model: laws of motion with their posterior, and the questions that can be put to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypo.dynamics.model.fields import ModelFields


class WorldModel(ModelFields):
    """Systems of laws found in trajectories, with weights, errors and noise.

    ``WorldModel.fit(data, time="t", state=["x", "v"])`` finds one.
    """

    @classmethod
    def fit(cls, data: Any, **settings: Any) -> WorldModel:
        """A model of trajectories; the same as :func:`hypo.fit_dynamics`, whose arguments it takes."""
        return _introduced.fit(data, **settings)


class _Introduced:
    """What fits models. It stands above them and makes them: it introduces itself (:func:`fit_by`)."""

    fit: Callable[..., WorldModel]


_introduced = _Introduced()


def fit_by(function: Callable[..., WorldModel]) -> None:
    """Let ``WorldModel.fit`` be answered by ``function``, which :mod:`hypo.dynamics.fit` calls this with."""
    _introduced.fit = function
