"""Reads a knowledge file or dictionary: finds its sections, has each checked, and collects every problem."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from os import PathLike
from pathlib import Path as FilePath
from typing import Any

from hypo.knowledge.file.contents import FileContent
from hypo.knowledge.file.dynamics import read_dynamics
from hypo.knowledge.file.grammar import GRAMMAR_KEYS, read_grammar, read_priors
from hypo.knowledge.file.rules import read_guesses, read_rules, read_template
from hypo.knowledge.file.units import UNIT_SETTINGS, read_constants, read_ranges, read_units
from hypo.knowledge.text.problems import Report, is_table
from hypo.knowledge.text.toml_lines import Lines, find_lines
from hypo.knowledge.text.wording import join, label, show, suggestion

SECTIONS = ("units", "ranges", "constants", "grammar", "priors", "template", "guesses", "dynamics", "rule")
MAX_BYTES = 1_000_000
"""Larger files are refused unread: nobody writes so much knowledge, and reading must not take long."""


def read_file(path: str | PathLike[str], target: str = "f") -> tuple[FileContent, Report]:
    """The content of a knowledge file as far as it can be read, and its problems; never raises.

    ``target`` is what the problems call the law.
    """
    report = Report(str(path), target=target)
    try:
        raw = FilePath(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        report.refuse(None, f"cannot read the knowledge file: {reason}")
        return FileContent(), report
    if len(raw) > MAX_BYTES:
        report.refuse(1, f"the file has {len(raw)} bytes; a knowledge file has at most {MAX_BYTES}")
        return FileContent(), report
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        report.refuse(line, f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8")
        return FileContent(), report
    report.lines = find_lines(text)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        report.refuse(1, "arrays or tables are nested too deeply")
    except ValueError as error:
        report.refuse(*_syntax_problem(text, str(error), report.lines))
    else:
        return read_sections(data, report), report
    return FileContent(), report


def read_sections(data: Any, report: Report) -> FileContent:
    """Checks ``data``, a table of sections; what is wrong goes to ``report`` and is left out."""
    out = FileContent()
    if not is_table(data, (), report, f"write the sections {join(map(_header, SECTIONS))}"):
        return out
    for section in data:
        if section not in SECTIONS:
            home = _home(section)
            guess = suggestion(section, SECTIONS, "known sections are ")
            report.add((section,), f"unknown section; {f'it belongs into [{home}]' if home else guess}")
    read_units(data.get("units", {}), report, out)
    read_constants(data.get("constants", {}), data.get("units", {}), report, out)
    read_ranges(data.get("ranges", {}), report, out)
    grammar = read_grammar(data.get("grammar", {}), report, SECTIONS)
    out.grammar = replace(grammar, priors=read_priors(data.get("priors", {}), report))
    read_template(data.get("template"), report, out)
    read_guesses(data.get("guesses", ()), report, out)
    out.dynamics = read_dynamics(data.get("dynamics"), report)
    read_rules(data.get("rule", ()), report, out)
    return out


def _header(section: str) -> str:
    return f"[[{section}]]" if section == "rule" else f"[{section}]"


def _home(key: Any) -> str | None:
    """The section of a key that was written at the top of the file."""
    if key in GRAMMAR_KEYS:
        return "grammar"
    return "units" if key in UNIT_SETTINGS else None


def _in_other_words(what: str, rest: str) -> str:
    """tomllib's complaint about a value, with what stands there and what to write instead."""
    word = re.match(r"[A-Za-z_][^\s,#\[\]{}\"']*", rest)
    if what == "invalid value" and word:
        return f'text must stand in quotes; write "{word[0][:40]}"'
    if what == "invalid value" and rest.startswith("("):
        return "a list stands in square brackets, as in [0, 1]"
    if what == "illegal character '\\n'":
        return "the text ends without its quote; add it"
    if what.startswith("expected newline") and re.match(r"[\w.\"'-]+\s*=", rest):
        return f"{show(rest)} follows on the same line; write each key on a line of its own"
    if what.startswith("expected newline") and rest:
        return f"{show(rest)} follows the value; write text in quotes, and several values as a list such as [0, 1]"
    return what


def _syntax_problem(text: str, message: str, lines: Lines) -> tuple[int, str]:
    """tomllib's message as line and one sentence; a repeated key is named with both its lines."""
    at = re.search(r"\s*\(at line (\d+), column (\d+)\)\s*$", message)
    if re.match(r"Cannot (overwrite|declare)", message) and lines.repeated:
        path, first, second = lines.repeated[0]
        return second, f"{label(path)}: stands here twice, first on line {first}; keep one"
    what = re.sub(r"\s*\(at .*\)\s*$", "", message) or "the text cannot be read"
    what = what[0].lower() + what[1:]
    if at:
        line, column = int(at[1]), int(at[2])
        what = (
            _in_other_words(what, text.split("\n")[line - 1][column - 1 :].strip())
            if line <= text.count("\n") + 1
            else what
        )
        return line, f"not valid TOML at column {column}: {what}"
    last = text.rstrip("\n").split("\n")
    return len(last), f"not valid TOML at column {len(last[-1]) + 1}, the end of the file: {what}"
