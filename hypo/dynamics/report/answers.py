"""What follows from the laws of a model, in words and as JSON: graph, fixed points, invariants, and the next experiments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.errors import InputError
from hypo.result.file import jsonable

if TYPE_CHECKING:
    from hypo.dynamics.model.fixed_points import Portrait
    from hypo.dynamics.model.invariants.invariants import Invariant
    from hypo.dynamics.model.suggest import Suggestion
    from hypo.dynamics.model.world_model import WorldModel

SCHEMA = "hypo-model/1"
SUGGESTIONS = "hypo-experiments/1"
# What can be asked for, with the headings of the answers.
QUESTIONS = {"graph": "What drives what", "fixed_points": "Fixed points", "invariants": "Conserved and dissipated"}
NOTHING_KEPT = "no quantity that the laws keep, or can only lose, was found"


def answer(
    model: WorldModel, questions: Sequence[str] = (), inputs: Mapping[str, float] | None = None
) -> dict[str, tuple[str, Any]]:
    """By question the answer in words, and as plain values.

    Args:
        model: the world model.
        questions: among ``QUESTIONS``; none: all of them, where what has no answer says why.
        inputs: constant inputs of fixed points; those not given have the median of the data.

    Raises:
        InputError: an input is not known, or what was asked for has no answer.
    """
    out: dict[str, tuple[str, Any]] = {}
    for question in questions or QUESTIONS:
        try:
            out[question] = _answer(model, question, inputs)
        except InputError as error:
            if questions or inputs:
                raise
            out[question] = str(error), None
    return out


def _answer(model: WorldModel, question: str, inputs: Mapping[str, float] | None) -> tuple[str, Any]:
    if question == "graph":
        graph = model.graph()
        return str(graph), graph.as_dict()
    if question == "fixed_points":
        portrait = model.fixed_points(dict(inputs or {}))
        return str(portrait), _list_points(portrait)
    kept = model.invariants()
    return "\n".join(map(str, kept)) or NOTHING_KEPT, [_list_invariant(i) for i in kept]


def _list_points(portrait: Portrait) -> dict[str, Any]:
    return {
        "inputs": dict(portrait.inputs),
        "points": [
            {
                "state": p.state,
                "kind": p.kind,
                "eigenvalues": [[float(v.real), float(v.imag)] for v in p.eigenvalues],
                "period": p.period,
                "remark": p.remark,
            }
            for p in portrait.points
        ],
        "continua": [
            {"ranges": c.ranges, "dimension": c.dimension, "is_straight": c.is_straight, "kind": c.kind}
            for c in portrait.continua
        ],
        "cycle": None if portrait.cycle is None else vars(portrait.cycle),
        "remarks": list(portrait.remarks),
    }


def _list_invariant(found: Invariant) -> dict[str, Any]:
    return {
        "expression": str(found.expression),
        "kind": found.kind,
        "is_proved": found.is_proved,
        "drift": found.drift,
        "because": found.because,
    }


def write_answers(found: Mapping[str, tuple[str, Any]]) -> str:
    """Answers in words, under headings where there are several."""
    if len(found) == 1:
        return f"{next(iter(found.values()))[0]}\n"
    return "\n\n".join(f"{QUESTIONS[name]}\n{text}" for name, (text, _) in found.items()) + "\n"


def write_answers_json(found: Mapping[str, tuple[str, Any]]) -> str:
    """The same as JSON; null where there is none."""
    return _as_text({"schema": SCHEMA} | {name: values for name, (_, values) in found.items()})


def split_ranges(
    model: WorldModel, ranges: Mapping[str, tuple[float, float]]
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Ranges of states, and those of inputs; raises InputError for what is neither."""
    unknown = [name for name in ranges if name not in (*model.states, *model.actions)]
    if unknown:
        known = ", ".join((*model.states, *model.actions))
        raise InputError(f"the model has no state or input {unknown[0]}; it has {known}")
    starts = {name: ends for name, ends in ranges.items() if name in model.states}
    return starts, {name: ends for name, ends in ranges.items() if name not in starts}


def write_experiments(found: Sequence[Suggestion]) -> str:
    """Experiments in words, numbered."""
    return "".join(f"{n}. {each}\n" for n, each in enumerate(found, 1))


def write_experiments_json(found: Sequence[Suggestion]) -> str:
    """The same as JSON."""
    each = [
        {
            "start": s.start,
            "times": s.times.tolist(),
            "actions": {name: s.actions[:, k].tolist() for k, name in enumerate(s.inputs)},
            "tells_systems": s.tells_systems,
            "tells_constants": s.tells_constants,
        }
        for s in found
    ]
    return _as_text({"schema": SUGGESTIONS, "experiments": each})


def write_experiments_table(model: WorldModel, found: Sequence[Suggestion]) -> str:
    """CSV, a row for each moment: number of the experiment, time, states, empty but for the start, and inputs."""
    lines = [",".join(("experiment", model.data.time, *model.states, *model.actions))]
    for n, s in enumerate(found, 1):
        for i, t in enumerate(s.times):
            states = [f"{s.start[name]:.6g}" if i == 0 else "" for name in model.states]
            inputs = [f"{value:.6g}" for value in np.atleast_1d(s.actions[i])] if s.inputs else []
            lines.append(",".join((str(n), f"{t:.6g}", *states, *inputs)))
    return "\n".join(lines) + "\n"


def _as_text(content: Mapping[str, Any]) -> str:
    return json.dumps(jsonable(dict(content)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
