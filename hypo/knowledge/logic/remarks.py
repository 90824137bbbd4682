"""Sentences that probably do not mean what was intended: they never mention the law, or take its arguments for others.

Arguments of the law go by the columns' order, while their names may suggest another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from hypo.knowledge.logic.sentence import Sentence
from hypo.knowledge.logic.syntax import Call, Derivative, Integral, LogicTerm, Quantified
from hypo.knowledge.text.wording import join


def parts_of(part: Any) -> Iterator[Any]:
    """A part of a sentence and all that it is made of."""
    yield part
    own = [getattr(part, f.name) for f in fields(part)] if is_dataclass(part) else ()
    for child in part if isinstance(part, tuple) else own:
        yield from parts_of(child)


def can_mention_law(sentence: Sentence, constants: Collection[str]) -> bool:
    """True if the law occurs in a sentence; where that knows no names, any free one may be the law's, but for ``constants``."""
    found = list(parts_of(sentence.statement))
    if any(isinstance(part, Call | Derivative) for part in found):
        return True
    if sentence.names is not None:
        return False
    bound = {name for part in found if isinstance(part, Quantified) for name, _ in part.over}
    bound |= {part.variable for part in found if isinstance(part, Integral)}
    terms = [part for part in found if isinstance(part, LogicTerm)]
    names = {name for term in terms for name in term.expression.variables if not name.startswith("#")}
    return not names <= bound | set(constants) | {"pi"}


def warn_of_order(sentence: Sentence) -> str:
    """A warning where each argument is made of a variable called like a column (or is a number), and these stand in another
    order than the columns in all calls of the law; else empty. The ``sentence`` knows its names."""
    if sentence.names is None:
        return ""
    columns = sentence.names.variables
    first: Call | Derivative | None = None
    for call in parts_of(sentence.statement):
        if not isinstance(call, Call | Derivative) or any(a.name is not None for a in call.arguments):
            continue
        places = [_find_column(a.value, columns) for a in call.arguments]
        named = [name for name in places if name]
        if "?" in named or len(named) < 2 or len(set(named)) < len(named):
            continue
        if all(name in ("", column) for name, column in zip(places, columns, strict=True)):
            return ""
        first = first or call
    return "" if first is None else _describe_order(first, columns)


def _find_column(value: Any, columns: tuple[str, ...]) -> str:
    """The one column of whose name an argument is made; empty for a number, ``?`` for anything else."""
    if value.parts or len(value.expression.variables) > 1:
        return "?"
    name = value.expression.variables[0] if value.expression.variables else ""
    return name if not name or name in columns else "?"


def _describe_order(call: Call | Derivative, columns: tuple[str, ...]) -> str:
    law = call.name if isinstance(call, Call) else call.written
    given = [str(a.value) for a in call.arguments]
    taken = join([f"{column} is {text}" for column, text in zip(columns, given, strict=True)])
    meant = {_find_column(a.value, columns): str(a.value) for a in call.arguments}
    rest = [str(a.value) for a in call.arguments if not _find_column(a.value, columns)]
    said = f"in {law}({', '.join(given)}) {taken}, because arguments go by the columns' order ({', '.join(columns)})"
    if rest:
        return f"{said}; is that what is meant? By name an argument is written as in {law}({columns[0]}={given[0]}, …)"
    ordered = [meant[column] for column in columns]
    by_name = [f"{column}={meant[column]}" for column in columns]
    return f"{said}; if the names are meant, write {law}({', '.join(ordered)}) or {law}({', '.join(by_name)})"
