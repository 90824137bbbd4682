"""A world model as JSON: laws, systems with weights, noise, accuracy and the manifest."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import Any

import hypo
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.report.agreement import measure_agreement
from hypo.dynamics.report.equations import Law, describe_laws
from hypo.dynamics.report.text import write_remarks
from hypo.dynamics.trajectories import Trajectories
from hypo.result.file import jsonable
from hypo.result.make_record import PACKAGES

SCHEMA = "hypo-dynamics/1"
# Systems below this weight are left out, but for the likeliest.
LEAST_WEIGHT = 1e-4


def to_dict(model: ModelFields, status: str = "finished") -> dict[str, Any]:
    """Plain values of a model; numbers that are not finite are None.

    ``equations`` has for each measured state the law of its rate (of its next value for ``order`` 0, of its acceleration for
    ``order`` 2); ``systems`` has the same for each system, with its weight and score; ``noise`` and ``effective_rows`` go by
    state, and so does ``r2``, from the fitted start and from the measured one.
    """
    fitted, given = measure_agreement(model.best, model.data)
    data, best = model.data, model.best
    system = best.system
    states = data.states
    content = {
        "schema": SCHEMA,
        "status": status,
        "equations": _write_equations(best, data),
        "systems": [
            {
                "weight": s.weight,
                "score": s.score,
                "misfit": s.fitted.misfit,
                "noise": dict(zip(states, s.fitted.noise, strict=False)),
                "equations": _write_equations(s.fitted, data),
            }
            for k, s in enumerate(model.systems)
            if k == 0 or s.weight >= LEAST_WEIGHT
        ],
        "unmet": model.discovered.unmet,
        "noise": model.noise,
        "process_noise": {name: {"value": q, "std": error} for name, (q, error) in model.process_noise.items()},
        "effective_rows": dict(zip(states, model.effective_rows, strict=False)),
        "r2": {"fitted_start": fitted.as_dict(), "given_start": given.as_dict()},
        "events": [
            {
                "event": e.text,
                "count": e.count,
                "constants": {n: {"value": v, "std": s} for n, (v, s) in e.constants.items()},
            }
            for e in model.events
        ],
        "rules": list(model.settings.get("rules", ())),
        "remarks": list(write_remarks(model, fitted, given)),
        "timing": {"total": model.discovered.seconds},
        "search": {"turns": model.discovered.turns, "is_cut": model.discovered.is_cut},
        "manifest": {
            "version": hypo.__version__,
            "seed": model.settings.get("seed"),
            "data_sha256": data.sha256,
            "source": data.source,
            "time": data.time,
            "states": list(system.states),
            "measured": list(states),
            "actions": list(data.actions),
            "units": dict(data.units),
            "runs": [{"name": run.name, "rows": run.n_row, "duration": run.duration} for run in data.runs],
            "settings": {key: value for key, value in model.settings.items() if key != "rules"},
            "packages": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        },
    }
    found: dict[str, Any] = jsonable(content)
    return found


def to_json(model: ModelFields, status: str = "finished") -> str:
    """:func:`to_dict` as a text that ends in a newline."""
    return json.dumps(to_dict(model, status), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _write_equations(fitted: Calibrated, data: Trajectories) -> dict[str, Any]:
    return {law.state: _write_law(law) for law in describe_laws(fitted, data)}


def _write_law(law: Law) -> dict[str, Any]:
    return {
        "expression": str(law.expression),
        "pretty": law.expression.pretty(),
        "latex": law.latex,
        "equation": law.text(),
        "lettered": law.lettered_text,
        "left": law.left,
        "order": law.order,
        "unit": law.unit,
        "constants": [row.as_dict() for row in law.constants],
    }
