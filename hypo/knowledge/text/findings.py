"""Remarks on a knowledge file, collected with their places."""

from __future__ import annotations

from dataclasses import dataclass

from hypo.knowledge.text.problems import Report
from hypo.knowledge.text.toml_lines import Path
from hypo.knowledge.text.wording import label, one_line

LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One remark on a knowledge file; ``level`` is ``error`` (refused, or leaves no formula), ``warning`` or ``note``."""

    level: str
    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.level}: {self.message}"


class Findings:
    """Collects findings at keys of the file."""

    def __init__(self, report: Report) -> None:
        assert report.lines is not None
        self.file = report.source
        self.lines = report.lines
        self.kept = report.kept
        self.problems = report.problems
        self.found: list[Finding] = []

    def list_spoiled(self, *prefix: str) -> list[Path]:
        """The keys below ``prefix`` that could not be read."""
        return [p.path for p in self.problems if p.path[: len(prefix)] == prefix]

    def place(self, path: Path) -> Path:
        """The path in the file of a path in what was read of it: elements of arrays may have been left out."""
        for array, numbers in self.kept.items():
            n = len(array)
            if path[:n] == array and len(path) > n and isinstance(path[n], int):
                return (*array, numbers[int(path[n])], *path[n + 1 :])
        return path

    def add(self, level: str, path: Path, message: str) -> None:
        """Adds a remark at the key ``path``, with its line if the file speaks of it."""
        path = self.place(path)
        # What the file does not speak of, as units that stand in the table's header, has no line.
        spoken = any(path[:end] in self.lines.where for end in range(1, len(path) + 1))
        line = self.lines.of(*path) if spoken else None
        self.found.append(Finding(level, self.file, line, f"{label(path)}: {one_line(message)}"))

    def error(self, path: Path, message: str) -> None:
        """Adds an error: the file is refused, or leaves no formula."""
        self.add("error", path, message)

    def warning(self, path: Path, message: str) -> None:
        """Adds a warning: this probably does not mean what was intended."""
        self.add("warning", path, message)

    def note(self, path: Path, message: str) -> None:
        """Adds a note: the file leaves something open."""
        self.add("note", path, message)
