"""Entries of a result file, each read with the type that it must have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# The types that JSON's values have here, and their names in messages.
_TYPES: dict[type, tuple[type | tuple[type, ...], str]] = {
    dict: (Mapping, "a table"),
    list: (list, "a list"),
    str: (str, "a text"),
    float: ((int, float), "a number"),
    int: (int, "a whole number"),
    bool: (bool, "true or false"),
}
# Stands for no default: an entry that must be there.
_REQUIRED: Any = object()


class Damaged(ValueError):
    """Says in words what is wrong with the content of a result file."""


def _read_entry(table: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = table.get(key, default)
    if value is _REQUIRED:
        raise Damaged(f'no entry "{key}"')
    types, name = _TYPES[kind]
    if not isinstance(value, types):
        raise Damaged(f'the entry "{key}" is not {name}')
    return value


def _require_members(values: Iterable[Any], kind: type, key: str) -> None:
    types, name = _TYPES[kind]
    if not all(isinstance(value, types) for value in values):
        raise Damaged(f'a member of the entry "{key}" is not {name}')


def read_text(table: Mapping[str, Any], key: str, default: str = _REQUIRED) -> str:
    """The text ``table[key]``; ``default`` where there is no such entry.

    This function and the others of this module raise Damaged for an entry of another type, and for one that is missing and has
    no default.
    """
    found: str = _read_entry(table, key, str, default)
    return found


def read_number(table: Mapping[str, Any], key: str) -> float:
    """The number ``table[key]``."""
    found: float = _read_entry(table, key, float, _REQUIRED)
    return found


def read_whole_number(table: Mapping[str, Any], key: str) -> int:
    """The whole number ``table[key]``."""
    found: int = _read_entry(table, key, int, _REQUIRED)
    return found


def read_optional_number(table: Mapping[str, Any], key: str, default: None = _REQUIRED) -> float | None:
    """The number ``table[key]``, None where null stands for it."""
    return None if table.get(key, default) is None else read_number(table, key)


def read_optional_whole_number(table: Mapping[str, Any], key: str, default: None = _REQUIRED) -> int | None:
    """The whole number ``table[key]``, None where null stands for it."""
    return None if table.get(key, default) is None else read_whole_number(table, key)


def read_optional_text(table: Mapping[str, Any], key: str, default: None = _REQUIRED) -> str | None:
    """The text ``table[key]``, None where null stands for it."""
    return None if table.get(key, default) is None else read_text(table, key)


def read_flag(table: Mapping[str, Any], key: str, default: bool = _REQUIRED) -> bool:
    """The truth value ``table[key]``."""
    found: bool = _read_entry(table, key, bool, default)
    return found


def read_table(table: Mapping[str, Any], key: str, default: Mapping[str, Any] = _REQUIRED) -> dict[str, Any]:
    """The table ``table[key]``."""
    return dict(_read_entry(table, key, dict, default))


def read_list(table: Mapping[str, Any], key: str, default: list[Any] = _REQUIRED) -> list[Any]:
    """The list ``table[key]``."""
    return list(_read_entry(table, key, list, default))


def read_texts(table: Mapping[str, Any], key: str, default: list[str] = _REQUIRED) -> tuple[str, ...]:
    """The list of texts ``table[key]``."""
    found = read_list(table, key, default)
    _require_members(found, str, key)
    return tuple(found)


def read_tables(table: Mapping[str, Any], key: str, default: list[Any] = _REQUIRED) -> tuple[dict[str, Any], ...]:
    """The list of tables ``table[key]``."""
    found = read_list(table, key, default)
    _require_members(found, dict, key)
    return tuple(map(dict, found))


def read_text_table(table: Mapping[str, Any], key: str, default: Mapping[str, str] = _REQUIRED) -> dict[str, str]:
    """The table of texts ``table[key]``."""
    found = read_table(table, key, default)
    _require_members(found.values(), str, key)
    return found


def read_number_table(table: Mapping[str, Any], key: str, default: Mapping[str, float] = _REQUIRED) -> dict[str, float]:
    """The table of numbers ``table[key]``."""
    found = read_table(table, key, default)
    _require_members(found.values(), float, key)
    return found


def read_pair_table(
    table: Mapping[str, Any], key: str, default: Mapping[str, list[float]] = _REQUIRED
) -> dict[str, tuple[float, float]]:
    """The table of pairs of numbers ``table[key]``."""
    out = {}
    for name, ends in read_table(table, key, default).items():
        if not isinstance(ends, list) or len(ends) != 2:
            raise Damaged(f'a member of the entry "{key}" is not a pair')
        _require_members(ends, float, key)
        out[name] = (ends[0], ends[1])
    return out
