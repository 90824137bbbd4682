"""A trap of first-order rules: arguments of the law go by the columns' order, while their names suggest another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

from hypo.errors import FormulaError
from hypo.knowledge.logic.sentence import Sentence, parse_logic
from hypo.knowledge.logic.syntax import Call, Derivative
from hypo.knowledge.rules.first_order import Logic
from hypo.knowledge.text import wording as words


def parts_of(part: Any) -> Iterator[Any]:
    """A part of a sentence and all that it is made of."""
    yield part
    own = [getattr(part, f.name) for f in fields(part)] if is_dataclass(part) else ()
    for child in part if isinstance(part, tuple) else own:
        yield from parts_of(child)


def misordered_rules(k: Any, columns: Sequence[str], target: str) -> Iterator[tuple[int, str]]:
    """The numbers of first-order rules of the knowledge ``k`` whose arguments stand in another order than their names suggest,
    each with a warning."""
    constants = {name: c.value for name, c in k.constants.items()}
    for i, rule in enumerate(k.rules):
        if isinstance(rule, Logic):
            with suppress(FormulaError):
                sentence = parse_logic(rule.formula, variables=columns, target=target, constants=constants)
                if trap := misordered(sentence):
                    yield i, trap


def misordered(sentence: Sentence) -> str:
    """A warning where each argument is made of a variable called like a column (or is a number), and these stand in another
    order than the columns in all calls of the law; else empty. The ``sentence`` knows its names."""
    if sentence.names is None:
        return ""
    columns = sentence.names.variables
    first: Call | Derivative | None = None
    for call in parts_of(sentence.statement):
        if not isinstance(call, Call | Derivative) or any(a.name is not None for a in call.arguments):
            continue
        places = [_column(a.value, columns) for a in call.arguments]
        named = [name for name in places if name]
        if "?" in named or len(named) < 2 or len(set(named)) < len(named):
            continue
        if all(name in ("", column) for name, column in zip(places, columns, strict=True)):
            return ""
        first = first or call
    return "" if first is None else _warning(first, columns)


def _column(value: Any, columns: tuple[str, ...]) -> str:
    """The one column of whose name an argument is made; empty for a number, ``?`` for anything else."""
    if value.parts or len(value.expression.variables) > 1:
        return "?"
    name = value.expression.variables[0] if value.expression.variables else ""
    return name if not name or name in columns else "?"


def _warning(call: Call | Derivative, columns: tuple[str, ...]) -> str:
    law = call.name if isinstance(call, Call) else call.written
    given = [str(a.value) for a in call.arguments]
    taken = words.join([f"{column} is {text}" for column, text in zip(columns, given, strict=True)])
    meant = {_column(a.value, columns): str(a.value) for a in call.arguments}
    rest = [str(a.value) for a in call.arguments if not _column(a.value, columns)]
    said = f"in {law}({', '.join(given)}) {taken}, because arguments go by the columns' order ({', '.join(columns)})"
    if rest:
        return f"{said}; is that what is meant? By name an argument is written as in {law}({columns[0]}={given[0]}, …)"
    ordered = [meant[column] for column in columns]
    by_name = [f"{column}={meant[column]}" for column in columns]
    return f"{said}; if the names are meant, write {law}({', '.join(ordered)}) or {law}({', '.join(by_name)})"
