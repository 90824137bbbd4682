"""Collects what is wrong with a knowledge file, and the checks of single values that every section needs."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypo.errors import KnowledgeError
from hypo.knowledge.text.toml_lines import Lines, Path
from hypo.knowledge.text.wording import kind, label, one_line, show


@dataclass(frozen=True)
class FileProblem:
    """One thing wrong, with its line in the file (None when it has no line) and its key."""

    line: int | None
    message: str
    path: Path = ()


@dataclass
class Report:
    """The problems found so far; ``lines`` is None for a dictionary, which has no lines.

    ``target`` is what messages call the law. ``kept`` holds, for each array of which elements may be left out, the numbers in
    the file of those that were not.
    """

    source: str
    lines: Lines | None = None
    target: str = "f"
    problems: list[FileProblem] = field(default_factory=list)
    unreadable: bool = False
    kept: dict[Path, list[int]] = field(default_factory=dict)

    def refuse(self, line: int | None, message: str) -> None:
        """Notes why nothing of the file can be read."""
        self.unreadable = True
        self.problems.append(FileProblem(line, message))

    def add(self, path: Path, message: str) -> None:
        """Notes a problem at the key ``path``."""
        line = None if self.lines is None else self.lines.of(*path)
        message = one_line(message)
        self.problems.append(FileProblem(line, f"{label(path)}: {message}" if path else message, path))

    def raise_if_any(self) -> None:
        """Raises KnowledgeError with one line per problem, also kept apart in its ``problems``."""
        if self.problems:
            ordered = sorted(self.problems, key=lambda p: p.line or 0)
            texts = tuple(
                f"{self.source}:{p.line}: {p.message}" if p.line else f"{self.source}: {p.message}" for p in ordered
            )
            error = KnowledgeError("\n".join(texts))
            error.__dict__["problems"] = texts
            raise error


def is_table(value: Any, path: Path, report: Report, hint: str) -> bool:
    """True if ``value`` is a table with text keys; if not, that is a problem at ``path``."""
    if not isinstance(value, Mapping):
        report.add(path, f"expected a table, got {kind(value)}; {hint}")
        return False
    odd = [k for k in value if not isinstance(k, str)]
    if odd:
        report.add(path, f"a key must be text, got {show(odd[0])}; {hint}")
    return not odd


def is_array(value: Any) -> bool:
    """True if ``value`` is a sequence other than text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def is_number(value: Any) -> bool:
    """True if ``value`` is a real number; a truth value is none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """True if the number ``value`` is a finite float."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def read_number(value: Any, path: Path, report: Report) -> float | None:
    """``value`` as a finite float, else a problem at ``path`` and None."""
    if not is_number(value):
        report.add(path, f"expected a number, got {show(value)}")
    elif not is_finite(value):
        report.add(path, f"expected a finite number, got {show(value)}")
    else:
        return float(value)
    return None
