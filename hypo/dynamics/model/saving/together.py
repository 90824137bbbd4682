"""Models of one search: whether a search may go on from one, and those of its shards as one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.api.shards import Shard, arrange, list_missing
from hypo.dynamics.discovery.discovered import Discovered
from hypo.dynamics.discovery.join import join
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.saving import file
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import InputError
from hypo.result.file import jsonable

# Settings in which searches that belong together may differ: how long each takes, and what is told of rules.
OWN = ("time_limit", "turns", "rules", "shards")


def read_model(given: Any, name: str) -> tuple[ModelFields, str]:
    """A model, or that in a folder, and what to call it; raises InputError where there is none."""
    if isinstance(given, ModelFields):
        return given, name
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{name} is neither a world model nor a folder of one: {given!r:.60}")
    return ModelFields(*file.load(given)), os.fspath(given)


def begin_from(given: Any, data: Trajectories, settings: Mapping[str, Any]) -> Discovered:
    """The systems that an earlier search found, for one with these data and settings to go on from.

    Raises:
        InputError: there is no model, or it is of other data or settings; the message says what differs.
    """
    model, name = read_model(given, "the model to resume")
    if model.data.sha256 != data.sha256:
        raise InputError(
            f"{name} is of other data: {_difference(model.data, data)}; resume with the data of the first search, or begin anew"
        )
    if "shards" in model.settings:
        raise InputError(f"{name} is merged from shards; resume these, each by itself, and merge them again")
    key = _first_difference(model.settings, settings)
    if key is not None:
        ours, theirs = (_shown(each.get(key)) for each in (settings, model.settings))
        raise InputError(f"{name} was made with {key} = {theirs}, and not {ours}; resume with the same, or begin anew")
    return model.discovered


def merge_models(given: Sequence[Any]) -> tuple[Discovered, dict[str, Any]]:
    """The systems that the shards of one search found together, and their settings.

    Raises:
        InputError: there is nothing to merge, a model is of no shard, one is there twice, or they are of different data or
            settings.
    """
    if not given:
        raise InputError("there is nothing to merge: give the models of the shards")
    shards = arrange(
        (_read_shard(each, f"model {k}") for k, each in enumerate(given, 1)), "search", _difference_of_shards
    )
    found = join([s.found.discovered for s in shards])
    chief = next(s.found for s in shards if any(w.fitted is found.best for w in s.found.systems))
    of, numbers = shards[0].of, [s.number for s in shards]
    missing = list_missing(shards)
    if missing:
        which = f"shard{'s' * (len(missing) > 1)} {' and '.join(map(str, missing))} of {of}"
        found = replace(found, remarks=(f"{which} had no part in this model", *found.remarks))
    return found, {**chief.settings, "shard": None, "shards": {"of": of, "merged": numbers, "missing": missing}}


def _read_shard(given: Any, name: str) -> Shard[ModelFields]:
    model, name = read_model(given, name)
    shard = model.settings.get("shard")
    if not shard:
        raise InputError(f"{name} is not the model of a shard; run hypo dynamics with --shard, such as --shard 1/4")
    return Shard(int(shard[0]), int(shard[1]), model, model.data.sha256, name)


def _difference_of_shards(one: ModelFields, two: ModelFields) -> str | None:
    """Where shards are not of one search, in words."""
    key = _first_difference({**one.settings, "shard": None}, {**two.settings, "shard": None})
    return None if key is None else f"differ in the setting {key}"


def _first_difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> str | None:
    """A setting in which two searches differ that must not."""
    first, second = dict(jsonable(dict(one))), dict(jsonable(dict(two)))
    keys = [key for key in (*first, *second) if key not in OWN]
    return next((key for key in keys if first.get(key) != second.get(key)), None)


def _difference(theirs: Trajectories, ours: Trajectories) -> str:
    """Where trajectories first differ, in words."""
    for what, one, two in (
        ("the column of times is", theirs.time, ours.time),
        ("the states are", ", ".join(theirs.states), ", ".join(ours.states)),
        ("the inputs are", ", ".join(theirs.actions) or "none", ", ".join(ours.actions) or "none"),
        ("the number of runs is", len(theirs.runs), len(ours.runs)),
        ("the number of rows is", theirs.n_row, ours.n_row),
    ):
        if one != two:
            return f"there {what} {one}, here {two}"
    for before, now in zip(theirs.runs, ours.runs, strict=True):
        if (before.name, before.n_row) != (now.name, now.n_row):
            return f"there a run is {before.name} with {before.n_row} rows, here {now.name} with {now.n_row}"
        for name, there, here in zip(theirs.columns, _numbers(before), _numbers(now), strict=True):
            unlike = np.flatnonzero(~((there == here) | (np.isnan(there) & np.isnan(here))))
            if len(unlike):
                k = int(unlike[0])
                return f"there {name} is {there[k]:g} at {ours.time} = {now.time[k]:g}, here {here[k]:g}"
    return "their times differ"


def _numbers(run: Run) -> NDArray[np.float64]:
    return np.hstack([run.states, run.actions]).T


def _shown(value: Any) -> str:
    return f"{value!r:.80}"
