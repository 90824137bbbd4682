"""How messages about knowledge write names, values and suggestions."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hypo.data.columns import make_identifier
from hypo.expression import operators as ops
from hypo.knowledge.text.toml_lines import Path

_TYPE_NAMES: dict[type, str] = {
    bool: "a truth value",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "an array",
    tuple: "an array",
    dict: "a table",
}


_LONGEST = 600
"""Characters of a message, at most."""
_INNER_TABLES = (["nesting"], ["only"], ["never_inside"])
"""Keys of [grammar] that are tables themselves."""


def name_problem(name: str) -> str | None:
    """Why ``name`` cannot stand in a formula, or None."""
    if name == "pi":
        return "pi is a known constant, not a free name"
    if ops.lookup(name) is not None:
        return f"{show(name)} is an operator, not a free name"
    if make_identifier(name, 0) != name:
        return f"{show(name)} cannot be a name in a formula (ASCII letters, digits and _; no keyword)"
    return None


def safe_name(name: str) -> str:
    """The name that a column with this header gets."""
    return make_identifier(name[:60], 0)


def label(path: Path) -> str:
    """How a message names a key: ``[grammar.nesting] sin``, ``[constants] c.value``, ``[[rule]] 2 min``."""
    if path[0] == "rule" and len(path) > 1 and isinstance(path[1], int):
        rest = ".".join(bare(k) for k in path[2:] if isinstance(k, str))
        return f"[[rule]] {path[1] + 1} {rest}".strip()
    keys = [bare(k) for k in path if isinstance(k, str)]
    depth = 2 if keys[0] == "grammar" and (len(keys) > 2 or keys[1:] in _INNER_TABLES) else 1
    rest = ".".join(keys[depth:])
    return f"[{'.'.join(keys[:depth])}] {rest}".strip()


def nearest(word: Any, known: Iterable[str]) -> str | None:
    """The known name closest to ``word``, if one is close; upper and lower case count as close."""
    by_lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(str(word)[:40].lower(), by_lower, 1)
    return by_lower[found[0]] if found else None


def suggestion(word: Any, known: Sequence[str], otherwise: str) -> str:
    """``did you mean …?``, or ``otherwise`` and all known words."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else otherwise + join(known)


def kind(value: Any) -> str:
    """The sort of value this is, in TOML's words."""
    return _TYPE_NAMES.get(type(value), f"a {type(value).__name__}")


def show(value: Any) -> str:
    """The value as TOML writes it when short, else its kind."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 40 else value[:37] + "...", ensure_ascii=False)
    if isinstance(value, int | float):
        return repr(value) if isinstance(value, float) or abs(value) < 1e30 else "a huge number"
    return kind(value)


def bare(key: str) -> str:
    """A key as TOML writes it: in quotes only when needed."""
    return key if re.fullmatch(r"[\w-]{1,60}", key) else show(key)


def one_line(message: object) -> str:
    """A message without its indented lines, which show a formula and mark the column that the message names."""
    text = "; ".join(line for line in str(message).splitlines() if line and not line[0].isspace())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def join(words: Iterable[str], last: str = "and") -> str:
    """``a, b and c``."""
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" {last} " + words[-1]
