"""A world model as one page for browsers: laws as formulas, constants, tables, remarks and pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import hypo
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.report.agreement import measure_agreement
from hypo.dynamics.report.equations import describe_laws
from hypo.dynamics.report.pictures import list_pictures, make_png
from hypo.dynamics.report.text import (
    list_constants,
    make_rivals_table,
    make_rules_table,
    make_states_table,
    write_remarks,
)
from hypo.errors import HypoError, InputError
from hypo.failures import Failures
from hypo.report.display import document
from hypo.report.tables import make_constants_table
from hypo.result.folders import write_text

REPORT_FILE = "report.html"
# Laws that are typeset, a twentieth of a second each; those after them stand as text.
TYPESET = 8
# Letters of the checksum that tell data apart.
CHECKSUM = 12
# States that a title names.
MOST_NAMES = 6


def write_page(model: ModelFields) -> str:
    """The page; a picture that cannot be drawn is left out, and a sentence says so."""
    laws = describe_laws(model.best, model.data)
    fitted, given = measure_agreement(model.best, model.data)
    constants = list_constants(laws)
    formulas = "\n".join(document.write_formula(law.latex, law.text()) for law in laws[:TYPESET])
    formulas += document.write_lines(law.text() for law in laws[TYPESET:])
    lettered = document.write_lines(law.lettered_text for law in laws if law.constants)
    below = [table for table in (make_rivals_table(model), make_rules_table(model)) if table is not None]
    pictures, missing = _draw_pictures(model)
    sections = [
        ("Laws", formulas),
        ("Constants", lettered + document.write_tables([make_constants_table(constants)]) if constants else ""),
        ("States", document.write_tables([make_states_table(model, fitted, given)])),
        ("Rivals and rules", document.write_tables(below)),
        ("Remarks", document.write_list([*write_remarks(model, fitted, given), *missing])),
        *pictures,
    ]
    return document.write_document(f"Laws of motion of {_name(model.data.states)}", sections, _tell_origin(model))


def save_page(model: ModelFields, path: str | os.PathLike[str]) -> Path:
    """Write the page to a file, or as ``report.html`` to a folder that is there; the path of the file.

    Raises:
        InputError: it cannot be written there.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"the path of a report must be one of a file, such as report.html, got {path!r:.40}")
    out = Path(path)
    out = out / REPORT_FILE if out.is_dir() else out
    try:
        write_text(out, write_page(model))
    except OSError as error:
        raise InputError(f"cannot write the report to {out}: {error.strerror or error}; choose another file") from error
    return out


def _draw_pictures(model: ModelFields) -> tuple[list[tuple[str, str]], list[str]]:
    """Pictures in HTML by title, and sentences on those that could not be drawn."""
    drawn, missing = [], []
    for picture in list_pictures(model):
        failures, title = Failures(), picture.title
        try:
            with failures.guarded(title):
                png = make_png(picture.draw)
                drawn.append((title, document.write_picture(png, title, picture.caption, picture.is_wide)))
            reasons = [f.error for f in failures.found]
        except HypoError as error:
            reasons = [str(error)]
        missing += [f"The picture of {title[0].lower()}{title[1:]} could not be drawn: {text}." for text in reasons]
    return drawn, missing


def _name(states: Sequence[str]) -> str:
    few = ", ".join(states[:MOST_NAMES])
    return few if len(states) <= MOST_NAMES else f"{few}, … ({len(states)} states)"


def _tell_origin(model: ModelFields) -> str:
    data = model.data
    runs = f" in {len(data.runs)} runs" if len(data.runs) > 1 else ""
    return (
        f"From {data.n_row} rows{runs} of {Path(data.source).name} (SHA-256 of the data {data.sha256[:CHECKSUM]}…), "
        f"by hypo {hypo.__version__}."
    )
