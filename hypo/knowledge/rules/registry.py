"""The kinds of rules: those built in, and those of installed packages through the entry point group ``hypo.rules``.

A package states ``saturates = "its_module:Saturates"`` under ``[project.entry-points."hypo.rules"]``: the name of the kind,
and its class. The class is imported when a knowledge file names the kind and not before, so a broken package spoils only the
files that use it. Built-in kinds cannot be replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypo.errors import KnowledgeError
from hypo.knowledge.rules.base import Rule, built_in_kinds
from hypo.knowledge.rules.parameters import ReportProblem
from hypo.knowledge.text.wording import show, suggestion
from hypo.plugins import Offers, find_offers, load_class, name_packages, say_reason

GROUP = "hypo.rules"


class _Kinds(Mapping[str, type[Rule]]):
    """All kinds by name. Names are known without importing a plug-in; ``kinds[name]`` imports it.

    ``kinds[name]`` raises KnowledgeError, naming the package, when a plug-in cannot be used.
    """

    def __getitem__(self, name: str) -> type[Rule]:
        found = built_in_kinds().get(name)
        return _load(name, find_offers(GROUP)[name]) if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in built_in_kinds() or name in find_offers(GROUP)

    def __iter__(self) -> Iterator[str]:
        yield from built_in_kinds()
        yield from (name for name in find_offers(GROUP) if name not in built_in_kinds())

    def __len__(self) -> int:
        return sum(1 for _ in self)


_KINDS = _Kinds()


def known_kinds() -> Mapping[str, type[Rule]]:
    """The kinds of rules by name, built in and installed; a plug-in is imported when its kind is looked up."""
    return _KINDS


def broken_plugins() -> list[str]:
    """A sentence for each installed plug-in that cannot be used, or would replace a built-in kind. Imports all of them."""
    found = []
    for name, offers in find_offers(GROUP).items():
        if name in built_in_kinds():
            found.append(
                f"the package {name_packages(offers)} offers the rule kind {name}, which is built in and stays"
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
        problem(
            (), f"the package {name_packages(find_offers(GROUP)[name])} failed to read this rule: {say_reason(error)}"
        )
    return None


def _load(name: str, offers: Offers) -> type[Rule]:
    """The class of an installed kind. Raises KnowledgeError, naming the package, when it cannot be used."""
    loaded: type[Rule] = load_class(Rule, "hypo.knowledge.Rule", offers, f"the rule kind {name}", KnowledgeError)
    return loaded
