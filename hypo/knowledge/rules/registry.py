"""The kinds of rules: those built in, and those of installed packages through the entry point group ``hypo.rules``.

A package states ``saturates = "its_module:Saturates"`` under ``[project.entry-points."hypo.rules"]``: the name of the kind,
and its class. The class is imported when a knowledge file names the kind and not before, so a broken package spoils only the
files that use it. Built-in kinds cannot be replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hypo.errors import KnowledgeError
from hypo.knowledge.rules.base import Rule, built_in_kinds
from hypo.knowledge.rules.parameters import ReportProblem
from hypo.knowledge.text.wording import join, show, suggestion

GROUP = "hypo.rules"


class _Kinds(Mapping[str, type[Rule]]):
    """All kinds by name. Names are known without importing a plug-in; ``kinds[name]`` imports it.

    ``kinds[name]`` raises KnowledgeError, naming the package, when a plug-in cannot be used.
    """

    def __getitem__(self, name: str) -> type[Rule]:
        found = built_in_kinds().get(name)
        return _load(name, _offers(name)) if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in built_in_kinds() or name in _find_installed(tuple(sys.path))

    def __iter__(self) -> Iterator[str]:
        yield from built_in_kinds()
        yield from (name for name in _find_installed(tuple(sys.path)) if name not in built_in_kinds())

    def __len__(self) -> int:
        return sum(1 for _ in self)


_KINDS = _Kinds()


def known_kinds() -> Mapping[str, type[Rule]]:
    """The kinds of rules by name, built in and installed; a plug-in is imported when its kind is looked up."""
    return _KINDS


def broken_plugins() -> list[str]:
    """A sentence for each installed plug-in that cannot be used, or would replace a built-in kind. Imports all of them."""
    found = []
    for name, offers in _find_installed(tuple(sys.path)).items():
        if name in built_in_kinds():
            found.append(
                f"the package {join(map(_package, offers))} offers the rule kind {name}, which is built in and stays"
            )
            continue
        try:
            _load(name, offers)
        except KnowledgeError as error:
            found.append(str(error))
    return found


def read_rule(table: Any, problem: ReportProblem) -> Rule | None:
    """The rule that a table of a knowledge file states, or None after all its problems went to ``problem``; never raises.

    ``problem`` is given the path of the key within the table and a sentence.
    """
    if isinstance(table, Rule):
        return table
    if not isinstance(table, Mapping):
        problem((), f'expected a table with the kind of the rule, got {show(table)}; write kind = "bounds"')
        return None
    name = table.get("kind")
    if name is None:
        problem((), 'the rule has no kind; write kind = "bounds", for instance')
        return None
    if not isinstance(name, str):
        problem(("kind",), f"expected the kind of the rule in quotes, got {show(name)}")
        return None
    if name not in _KINDS:
        problem(("kind",), f"unknown kind {show(name)}; {suggestion(name, tuple(_KINDS), 'known kinds are ')}")
        return None
    try:
        return _KINDS[name].read(table, problem)
    except KnowledgeError as error:
        problem(("kind",), str(error))
    except Exception as error:
        # A plug-in's own reading may fail in any way.
        problem((), f"the package {join(map(_package, _offers(name)))} failed to read this rule: {_reason(error)}")
    return None


# --- installed packages -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _find_installed(_path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points by the kind they offer; looked for once for each ``sys.path``."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return {name: tuple(points) for name, points in found.items()}


def _offers(name: str) -> tuple[EntryPoint, ...]:
    return _find_installed(tuple(sys.path))[name]


def _load(name: str, offers: tuple[EntryPoint, ...]) -> type[Rule]:
    packages = join(map(_package, offers))
    if len({point.value for point in offers}) > 1:
        raise KnowledgeError(f"the packages {packages} both offer the rule kind {name}; uninstall one of them")
    point = offers[0]
    try:
        loaded = point.load()
    except Exception as error:
        raise KnowledgeError(
            f"the rule kind {name} of the package {packages} cannot be loaded: {_reason(error)}"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Rule)):
        raise KnowledgeError(
            f"the package {packages} offers the rule kind {name}, but {point.value} is no subclass of "
            "hypo.knowledge.Rule"
        )
    if getattr(loaded, "kind", None) is None:
        raise KnowledgeError(
            f"the package {packages} offers the rule kind {name}, but {point.value} has no kind; it needs "
            f"kind = {show(name)} in its body"
        )
    if loaded.kind != name:
        raise KnowledgeError(
            f"the package {packages} offers the rule kind {name}, but {point.value} calls itself {show(loaded.kind)}"
        )
    return loaded


def _package(point: EntryPoint) -> str:
    return "of unknown name" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _reason(error: Exception) -> str:
    first = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
