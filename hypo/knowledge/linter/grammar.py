"""Looks over the grammar of a knowledge file: keys that undo each other, and limits that leave too little."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hypo.expression import operators as ops
from hypo.knowledge.file.contents import FileContent
from hypo.knowledge.grammar import Grammar, permit
from hypo.knowledge.text.findings import Findings
from hypo.knowledge.text.wording import join

if TYPE_CHECKING:
    from hypo.data import Dataset


def check_grammar(fields: FileContent, dataset: Dataset | None, out: Findings) -> None:
    """Remarks on [grammar]."""
    grammar = fields.grammar
    _check_operators(grammar, out)
    _check_places(grammar, out)
    _check_size(grammar, dataset, out)
    _check_priors(grammar, out)


def _check_operators(grammar: Grammar, out: Findings) -> None:
    allowed = permit(grammar.operators, grammar.forbid)
    for name in grammar.forbid:
        if grammar.operators is not None and name in grammar.operators:
            out.warning(("grammar", "forbid"), f"{name} also stands in operators, but forbid wins")
        elif grammar.operators is not None and name not in permit(grammar.operators, ()):
            out.note(("grammar", "forbid"), f"{name} is not among the operators anyway")
    if allowed and not any(ops.BY_NAME[name].arity == 2 for name in allowed):
        key = "operators" if grammar.operators is not None else "forbid"
        out.warning(
            ("grammar", key),
            "no operator with two arguments is allowed, so a formula holds one "
            "variable or constant; allow + or *, for instance",
        )
    for outer, inner in grammar.nesting.items():
        if outer not in allowed:
            out.note(("grammar", "nesting", outer), f"{outer} is not allowed, so this limit never applies")
        for name in inner:
            if outer in allowed and name not in allowed:
                out.note(("grammar", "nesting", outer), f"{name} is not allowed, so it needs no limit here")
    exponents = grammar.exponents
    if exponents is not None and allowed.isdisjoint(("**", "square", "cube")):
        out.note(("grammar", "exponents"), "no operator allowed has an exponent, so this never applies")


def _check_places(grammar: Grammar, out: Findings) -> None:
    """``only`` and ``never_inside``: can the name still occur, and does the limit ever apply?"""
    allowed = permit(grammar.operators, grammar.forbid)
    for name, homes in grammar.only.items():
        path = ("grammar", "only", name)
        left = [home for home in homes if home in allowed]
        absent = [home for home in homes if home not in allowed]
        barred = grammar.never_inside.get(name, ())
        if not left:
            what = f"{join(homes)} {'is' if len(homes) == 1 else 'are'} not allowed, so {name} cannot occur at all"
            if name in grammar.must_use:
                out.error(path, f"{what}, but must_use demands it")
            else:
                out.warning(path, f"{what}; allow {'it' if len(homes) == 1 else 'one of them'}, or write must_not_use")
        elif absent:
            out.note(path, f"{join(absent)} {'is' if len(absent) == 1 else 'are'} not allowed anyway")
        if left and set(left) <= set(barred):
            level = "error" if name in grammar.must_use else "warning"
            out.add(level, path, f"never_inside keeps {name} out of {join(left)}, so {name} cannot occur at all")
    for name, outer in grammar.never_inside.items():
        if not allowed.intersection(outer):
            out.note(
                ("grammar", "never_inside", name),
                f"{join(outer)} {'is' if len(outer) == 1 else 'are'} not allowed, so this limit never applies",
            )
    for name in grammar.must_not_use:
        if name in grammar.only or name in grammar.never_inside:
            key = "only" if name in grammar.only else "never_inside"
            out.note(("grammar", key, name), f"{name} must not be used anyway")


def _check_size(grammar: Grammar, dataset: Dataset | None, out: Findings) -> None:
    needed = len(grammar.must_use)
    # n different leaves need n - 1 operators of two arguments, and a tree of ceil(log2 n) levels above them.
    if needed and grammar.max_complexity is not None and grammar.max_complexity < 2 * needed - 1:
        out.error(
            ("grammar", "max_complexity"),
            f"{grammar.max_complexity} leaves no formula with the {needed} names of "
            f"must_use, which has at least {2 * needed - 1} nodes",
        )
    elif grammar.max_complexity is not None:
        limit = grammar.max_complexity
        n = 2 if dataset is None else len(dataset.names)
        if limit < 3:
            out.warning(
                ("grammar", "max_complexity"),
                f"{limit} leaves no formula with two variables or constants, which has at least 3 nodes",
            )
        elif limit < 2 * n - 1:
            out.note(
                ("grammar", "max_complexity"),
                f"{limit} leaves no formula with all {n} columns, which has at least {2 * n - 1} nodes",
            )
    if grammar.max_depth is not None:
        least = 1 + math.ceil(math.log2(needed)) if needed else 1
        if grammar.max_depth < least:
            out.error(
                ("grammar", "max_depth"),
                f"{grammar.max_depth} leaves no formula with the {needed} names of must_use, "
                f"which has at least {least} levels",
            )
        elif grammar.max_depth < 2:
            out.warning(("grammar", "max_depth"), "1 leaves only single variables and constants")


def _check_priors(grammar: Grammar, out: Findings) -> None:
    allowed = permit(grammar.operators, grammar.forbid)
    for name, weight in grammar.priors.items():
        if name not in allowed:
            out.note(("priors", name), f"{name} is not allowed, so its weight never counts")
        elif weight > 1:
            out.note(("priors", name), f"a weight above 1 rewards each use of {name} with {math.log(weight):.3g} nats")
