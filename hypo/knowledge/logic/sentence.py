"""First-order rules: what they say of a law, and whether it holds.

``forall x in [0, 1], y in [0, 1]: x > y implies f(x, y) > f(y, x)``. Columns that no quantifier names are quantified
universally over their ranges. Margins are quantitative: ``and`` and ``forall`` take the least, ``or`` and ``exists`` the
greatest, ``not`` turns the sign, ``p implies q`` is ``not p or q``. The grammar stands in :mod:`hypo.knowledge.logic.parser`,
the meaning of names in :mod:`hypo.knowledge.logic.names`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypo.errors import FormulaError
from hypo.knowledge.claims.claim import Verdict
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.proof import check_claim
from hypo.knowledge.logic.claims import depth, meaning, universal
from hypo.knowledge.logic.names import Names
from hypo.knowledge.logic.parser import read
from hypo.knowledge.logic.quantifiers import QUICK_WORK, check_quantifiers
from hypo.knowledge.logic.syntax import Statement

MAX_BLOCKS = 3
"""So many blocks of alternating quantifiers may stand within each other: points multiply with each."""
_PROOF_WORK = 400_000
"""Evaluations of the law at the points of a check with proof, at most."""
_LEAST_POINTS = 8
"""So many points are tried however much work each is."""


@dataclass(frozen=True)
class Sentence:
    """A rule as read from ``text``; ``names`` is None while only its syntax is known. Equal if the statements are."""

    statement: Statement
    text: str = field(compare=False)
    names: Names | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return str(self.statement)

    def bind(self, variables: Sequence[str], target: str, constants: Mapping[str, float]) -> Sentence:
        """The sentence with its names resolved; raises FormulaError as :func:`parse_logic` does."""
        names = Names(tuple(variables), target, dict(constants))
        return self if names == self.names else _sentence(self.text, names)

    def check(self, law: Law, *, points: int, proof: bool, seed: int = 0, deadline: float | None = 0.2) -> Verdict:
        """The verdict on a law, by what the sentence says of it.

        Sentences without ``exists`` (after negations are drawn in) are settled as any claim over a domain. With ``exists``, a
        sentence that no point found satisfies has an amount > 0; its level is REFUTED only if its negation is proved, so
        without ``proof`` never. Proofs are given up after ``deadline`` seconds (None: no limit but that of their boxes). Of
        integrals within each other and of ``exists``, fewer points are tried, so that a check without ``proof`` stays quick.

        Raises FormulaError when the names do not fit the law.
        """
        sentence = self.bind(law.variables, law.target, law.constants)
        node = meaning(sentence.statement, law)
        plain = universal(node)
        if plain is None:
            node = meaning(sentence.statement, law, coarse=True)
            return check_quantifiers(node, points=points, proof=proof, seed=seed, deadline=deadline)
        ranges, claim = plain
        points = min(points, max(_LEAST_POINTS, (_PROOF_WORK if proof else QUICK_WORK) // claim.work))
        return check_claim(claim, Domain(ranges), points=points, proof=proof, seed=seed, deadline=deadline)


def parse_logic(
    text: str, *, variables: Sequence[str], target: str, constants: Mapping[str, float] | None = None
) -> Sentence:
    """The sentence written in ``text`` about a law for ``target`` in the columns ``variables``.

    Raises FormulaError, whose message gives line and column, marks the place and says what was expected; also for texts of more
    than 10 000 characters, nested too deeply, or with more than ``MAX_BLOCKS`` alternating blocks of quantifiers within each
    other.
    """
    return _sentence(text, Names(tuple(variables), target, dict(constants or {})))


def read_logic(text: str) -> Sentence:
    """The sentence written in ``text`` before the table is known: its syntax is checked, names are not. Raises FormulaError."""
    return _sentence(text, None)


def _sentence(text: str, names: Names | None) -> Sentence:
    statement = read(text, names)
    blocks = depth(statement)
    if blocks > MAX_BLOCKS:
        raise FormulaError(
            f"the rule has {blocks} blocks of 'forall' and 'exists' within each other; at most {MAX_BLOCKS} are allowed"
        )
    return Sentence(statement, text, names)
