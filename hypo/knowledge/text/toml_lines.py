"""Line numbers of the keys in a TOML text, which tomllib does not report.

The scanner follows the structure of the text (tables, arrays of tables, dotted keys, inline tables, arrays)
and skips over values. It decides nothing about validity: tomllib does, and a text it refuses is scanned as
far as it makes sense.
"""

from __future__ import annotations

import tomllib
from contextlib import suppress
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

_MAX_DEPTH = 100
"""Tables and arrays within each other, at most: far below the limit of Python's recursion."""


@dataclass
class Lines:
    """Where the keys of a TOML text stand.

    ``where`` maps a path such as ``("units", "L")`` or ``("rule", 0, "kind")`` to its line (from 1);
    ``repeated`` lists ``(path, first line, second line)`` of keys and tables written more than once.
    """

    where: dict[Path, int] = field(default_factory=dict)
    repeated: list[tuple[Path, int, int]] = field(default_factory=list)

    def of(self, *path: str | int) -> int:
        """The line of a key, or of the nearest enclosing table that stands in the text, or 1."""
        for end in range(len(path), 0, -1):
            line = self.where.get(path[:end])
            if line is not None:
                return line
        return 1


def find_lines(text: str) -> Lines:
    """The line of every key, table and array element of ``text``; never raises."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    with suppress(_Stop):
        scanner.document()
    return scanner.lines


class _Stop(Exception):
    """The text is not TOML from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.line = 1
        self.counted = 0
        self.lines = Lines()
        self.tables: dict[Path, int] = {}
        self.arrays: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while True:
            self.blank(newlines=True)
            if self.pos >= len(self.text):
                return
            if self.text.startswith("[[", self.pos):
                table = self.header(2)
            elif self.peek() == "[":
                table = self.header(1)
            else:
                self.pair(table, 0)

    def header(self, brackets: int) -> Path:
        line = self.current_line()
        self.pos += brackets
        keys = self.key()
        self.expect("]" * brackets)
        path: Path = ()
        for k in keys[:-1]:
            path = self.last(path + (k,))
        path += (keys[-1],)
        if brackets == 2:
            self.arrays[path] = self.arrays.get(path, -1) + 1
            self.lines.where.setdefault(path, line)
            path = self.last(path)
            self.lines.where[path] = line
            return path
        if path in self.tables:
            self.lines.repeated.append((path, self.tables[path], line))
        self.tables[path] = line
        # An own header names the table better than a dotted key or subtable that implied it.
        self.lines.where[path] = line
        return path

    def last(self, path: Path) -> Path:
        """Inside an array of tables, keys belong to its latest element."""
        return path + (self.arrays[path],) if path in self.arrays else path

    def pair(self, table: Path, depth: int) -> None:
        line = self.current_line()
        keys = self.key()
        path = table
        for k in keys[:-1]:
            path += (k,)
            self.lines.where.setdefault(path, line)
        path += (keys[-1],)
        if path in self.lines.where and path not in self.arrays:
            self.lines.repeated.append((path, self.lines.where[path], line))
        self.lines.where.setdefault(path, line)
        self.expect("=")
        self.value(path, depth)

    def key(self) -> list[str]:
        keys = []
        while True:
            self.blank()
            start = self.pos
            if self.peek() in ('"', "'"):
                self.string()
                keys.append(_unquote(self.text[start : self.pos]))
            else:
                while self.peek().isascii() and (self.peek().isalnum() or self.peek() in ("_", "-")):
                    self.pos += 1
                if self.pos == start:
                    raise _Stop
                keys.append(self.text[start : self.pos])
            self.blank()
            if self.peek() != ".":
                return keys
            self.pos += 1

    def value(self, path: Path, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise _Stop
        self.blank()
        c = self.peek()
        if c in ('"', "'"):
            self.string()
        elif c == "[":
            self.array(path, depth)
        elif c == "{":
            self.inline_table(path, depth)
        else:
            start = self.pos
            while self.peek() not in ("", ",", "]", "}", "#", "\n"):
                self.pos += 1
            if self.pos == start:
                raise _Stop

    def array(self, path: Path, depth: int) -> None:
        self.pos += 1
        index = 0
        while True:
            self.blank(newlines=True)
            if self.peek() == "]":
                break
            element = path + (index,)
            self.lines.where[element] = self.current_line()
            self.value(element, depth + 1)
            index += 1
            self.blank(newlines=True)
            if self.peek() != ",":
                break
            self.pos += 1
        self.expect("]")

    def inline_table(self, path: Path, depth: int) -> None:
        self.pos += 1
        while True:
            self.blank(newlines=True)
            if self.peek() == "}":
                break
            self.pair(path, depth + 1)
            self.blank(newlines=True)
            if self.peek() != ",":
                break
            self.pos += 1
        self.expect("}")

    def string(self) -> None:
        quote = self.peek()
        long = self.text.startswith(quote * 3, self.pos)
        end = quote * 3 if long else quote
        i = self.pos + len(end)
        while not self.text.startswith(end, i):
            if i >= len(self.text) or (self.text[i] == "\n" and not long):
                raise _Stop
            i += 2 if quote == '"' and self.text[i] == "\\" else 1
        i += len(end)
        if long:  # up to two further quotes belong to the text
            for _ in range(2):
                if self.text.startswith(quote, i):
                    i += 1
        self.pos = i

    def blank(self, newlines: bool = False) -> None:
        skipped = " \t\n" if newlines else " \t"
        while True:
            while self.peek() and self.peek() in skipped:
                self.pos += 1
            if not (newlines and self.peek() == "#"):
                return
            end = self.text.find("\n", self.pos)
            self.pos = len(self.text) if end < 0 else end

    def expect(self, token: str) -> None:
        self.blank()
        if not self.text.startswith(token, self.pos):
            raise _Stop
        self.pos += len(token)

    def peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def current_line(self) -> int:
        self.line += self.text.count("\n", self.counted, self.pos)
        self.counted = self.pos
        return self.line


def _unquote(quoted: str) -> str:
    try:
        return next(iter(tomllib.loads(f"{quoted} = 0")))
    except ValueError:
        return quoted.strip("\"'")
