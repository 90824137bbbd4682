"""Compares the names in a knowledge file with those of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hypo.knowledge.rules.base import Rule
from hypo.knowledge.text.toml_lines import Path
from hypo.knowledge.text.wording import nearest

if TYPE_CHECKING:
    from hypo.data import Dataset

Remark = tuple[Path, str, str]
"""Where, how grave (``error``, ``warning`` or ``note``), and what."""


def data_ranges(dataset: Dataset) -> dict[str, tuple[float, float]]:
    """(least, greatest) of each column: the domain of a rule where nothing else is stated."""
    return {
        name: (float(column.min()), float(column.max()))
        for name, column in zip(dataset.names, dataset.X.T, strict=True)
    }


def never_changes(name: str, constant: Mapping[str, float]) -> str:
    """The message about a column that was left out."""
    return f"the column {name} is constant ({constant[name]:g}) and was left out"


def foreign_names(k: Any, columns: Sequence[str], target: str, constant: Mapping[str, float]) -> Iterator[Remark]:
    """Names in the knowledge ``k`` that are no columns, each where it stands; ``constant`` are columns that were left out, with
    their values.

    It is an error where nothing could ever hold (a rule about it, an argument of the template, must_use), else a warning: one
    file may serve several tables.
    """
    known = (*columns, *k.constants)

    def no_column(name: str, among: Sequence[str] = columns) -> str:
        if name in constant:
            return never_changes(name, constant)
        near = nearest(name, among)
        return f"the table has no column {name}; " + (
            f"did you mean {near}?" if near else "its columns are " + ", ".join(columns[:20])
        )

    for name in k.ranges:
        if name == target:
            yield (
                ("ranges", name),
                "warning",
                ("this is the target; ranges are for columns, and a rule of kind bounds limits the target"),
            )
        elif name not in columns:
            yield ("ranges", name), "warning", no_column(name)
    for key, level in (
        ("must_use", "error"),
        ("must_not_use", "warning"),
        ("only", "warning"),
        ("never_inside", "warning"),
    ):
        for name in getattr(k.grammar, key):
            path: Path = ("grammar", key, name) if key in ("only", "never_inside") else ("grammar", key)
            if name == target:
                yield path, level, f"{name} is the target, which stands in no formula"
            elif name not in known:
                yield path, level, no_column(name, known)
    for i, group in enumerate(k.grammar.never_together):
        for name in group:
            if name not in known:
                yield ("grammar", "never_together", i), "warning", no_column(name, known)
    constants = {name: c.value for name, c in k.constants.items()}
    for i, rule in enumerate(k.rules):
        # All that a sentence may name stands in its text, but for the domain.
        about_domain = set(Rule.misfits(rule, columns, target, constants))
        for message in rule.misfits(columns, target, constants):
            in_text = rule.stated_in and message not in about_domain
            yield ("rule", i, rule.stated_in) if in_text else ("rule", i), "error", message
    if k.template is not None:
        path = ("template", "form")
        for problem in k.template.problems(columns, constants, target):
            yield path, "error", problem
        arguments = {a for listed in k.template.unknowns.values() for a in listed}
        yield from _warn_of_fitted(path, [name for name in k.template.names if name not in arguments], known)
    if k.dynamics:
        yield (
            ("dynamics",),
            "error",
            "this section is about laws of motion (hypo dynamics); one law alone knows nothing of it. To check it with a table "
            "say what its columns are: hypo check K.toml TRAJ.csv --time t --state x,v",
        )
    for i, text in enumerate(k.guesses):
        yield from _guess_names(("guesses", "forms", i), text, target, known)


def misread_rules(k: Any, columns: Sequence[str], target: str) -> Iterator[tuple[int, str]]:
    """The numbers of rules of the knowledge ``k`` that may not say what is meant for this table, each with a warning."""
    constants = {name: c.value for name, c in k.constants.items()}
    for i, rule in enumerate(k.rules):
        for trap in rule.misreadings(columns, target, constants):
            yield i, trap


def _guess_names(path: Path, text: str, target: str, known: Sequence[str]) -> Iterator[Remark]:
    from hypo.expression.parser import parse

    left, sign, right = text.partition("=")
    if sign and left.strip() not in (target, "f"):
        yield path, "error", f"the left side is {left.strip()}, but the target is {target}"
    names = parse(right if sign else text).variables
    if target in names:
        yield path, "error", f"the target {target} stands on the right side"
    yield from _warn_of_fitted(path, [name for name in names if name != target], known)


def _warn_of_fitted(path: Path, names: Sequence[str], known: Sequence[str]) -> Iterator[Remark]:
    """Names that become constants to fit although they look like misspelt columns."""
    for name in names:
        near = None if name in known or name == "pi" else nearest(name, known)
        if near:
            yield path, "note", f"{name} is no column, so it is a constant to fit; did you mean {near}?"
