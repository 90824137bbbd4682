"""A model's folder: ``model.json``, which holds laws as text and all numbers exactly, and ``trajectories.csv``, the data."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hypo
from hypo.dynamics.discovery.discovered import Discovered
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.saving import records
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.errors import InputError
from hypo.result import entries
from hypo.result.entries import Damaged
from hypo.result.file import OperatorsMissing, jsonable, list_user_operators
from hypo.result.folders import as_folder, write_text

SCHEMA = "hypo-world-model/1"
MODEL_FILE = "model.json"
DATA_FILE = "trajectories.csv"
# Packages whose versions an answer may depend on.
PACKAGES = ("numba", "numpy", "scipy")


def save(model: ModelFields, folder: str | os.PathLike[str]) -> Path:
    """Write a model to a folder, which is made if it is not there; the path of its file.

    Raises:
        InputError: the folder cannot be written to.
    """
    path = as_folder(folder)
    table = records.write_table(model.data)
    content = {
        "schema": SCHEMA,
        "systems": [records.write_weighted(w) for w in model.systems],
        "data": {**records.write_data(model.data), "sha256": _checksum(table)},
        "effective_rows": [int(n) for n in model.effective_rows],
        "remarks": list(model.remarks),
        "events": [records.write_event(e) for e in model.events],
        "forcing": records.write_forcing(model.discovered.forcing),
        "seconds": float(model.discovered.seconds),
        "turns": int(model.discovered.turns),
        "is_cut": bool(model.discovered.is_cut),
        "settings": jsonable(model.settings),
        "manifest": {
            "version": hypo.__version__,
            "packages": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        },
        "user_operators": list_user_operators(e for w in model.systems for e in w.fitted.system.equations),
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_text(path / DATA_FILE, table)
        write_text(path / MODEL_FILE, _as_json(content))
    except OSError as error:
        raise InputError(f"cannot write the model to {path}: {error.strerror or error}") from error
    return path / MODEL_FILE


def _as_json(content: Mapping[str, Any]) -> str:
    """A line for each entry, and for each system: with one for each number half a million of them take seconds."""

    def one(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    lines = []
    for key, value in content.items():
        rows = isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
        text = "[\n  " + ",\n  ".join(map(one, value)) + "\n ]" if rows else one(value)
        lines.append(f" {one(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load(folder: str | os.PathLike[str]) -> tuple[Discovered, Mapping[str, Any]]:
    """The systems that :func:`save` wrote, with their data, and the settings.

    Raises:
        InputError: there is no model, it is of another version, or it is damaged.
    """
    path = as_folder(folder)
    file = path / MODEL_FILE if path.is_dir() or not path.exists() else path
    content = _read_content(file)
    try:
        return _read_fields(content, file.parent / DATA_FILE)
    except OperatorsMissing as error:
        raise InputError(f"cannot read {file}: {error}") from error
    except Damaged as error:
        raise InputError(f"{file} is damaged ({error}); fit the model again") from error


def _read_content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no world model at {file}: give the folder that it was saved to") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(schema, str) or not schema.startswith(SCHEMA.partition("/")[0]):
        raise InputError(f'{file} is no world model of hypo (its entry "schema" is {schema!r}, expected "{SCHEMA}")')
    if schema != SCHEMA:
        raise InputError(f"{file} has schema {schema!r}, but this version of hypo reads {SCHEMA!r}")
    return dict(content)


def _read_fields(content: Mapping[str, Any], table: Path) -> tuple[Discovered, Mapping[str, Any]]:
    from hypo.expression import operators as ops

    unknown = [name for name in entries.read_texts(content, "user_operators", []) if ops.lookup(name) is None]
    if unknown:
        raise OperatorsMissing(ops.missing(unknown))
    about = entries.read_table(content, "data")
    try:
        text = table.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise Damaged(f"its data, {table.name}, are not beside it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Damaged(f"its data, {table.name}, cannot be read: {error}") from error
    if _checksum(text) != entries.read_text(about, "sha256"):
        raise Damaged(f"its data, {table.name}, were changed")
    data = records.read_data(about, text)
    systems = tuple(records.read_weighted(row, data) for row in entries.read_tables(content, "systems"))
    if not systems:
        raise Damaged('the entry "systems" is empty')
    rows = entries.read_list(content, "effective_rows")
    if not all(type(n) is int for n in rows):
        raise Damaged('a member of the entry "effective_rows" is not a whole number')
    remarks, seconds = entries.read_texts(content, "remarks"), entries.read_number(content, "seconds")
    forcing = records.read_forcing(content.get("forcing"), systems[0].fitted.system)
    events = tuple(records.read_event(e) for e in entries.read_tables(content, "events", []))
    # Files of earlier versions tell nothing of turns, events or forces.
    turns = entries.read_optional_whole_number(content, "turns") or 0
    found = Discovered(
        systems,
        Smoothed(data, ()),
        tuple(rows),
        remarks,
        seconds,
        turns=turns,
        is_cut=bool(content.get("is_cut", False)),
        events=events,
        forcing=forcing,
    )
    return found, entries.read_table(content, "settings")


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
