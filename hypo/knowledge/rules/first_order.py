"""The rule kind of first-order sentences, which have a language of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from hypo.errors import FormulaError
from hypo.knowledge.claims.claim import Verdict
from hypo.knowledge.claims.law import Law
from hypo.knowledge.logic.remarks import can_mention_law, warn_of_order
from hypo.knowledge.logic.sentence import Sentence, parse_logic, read_logic
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.parameters import TEXT, parameter


class Logic(Rule):
    """A first-order sentence, such as ``forall L in [0.1, 10], g in [1, 20]: T(4*L, g) > T(L, g)``.

    ``where`` gives the ranges of the columns that the sentence does not quantify.
    """

    kind = "logic"
    tolerant = False
    stated_in = "formula"
    formula: str = parameter(TEXT, words="the formula")

    def inconsistencies(self) -> Iterator[tuple[str, str]]:
        try:
            read_logic(self.formula)
        except FormulaError as error:
            yield "formula", str(error)

    def misfits(self, variables: Sequence[str], target: str, constants: Mapping[str, float]) -> Iterator[str]:
        yield from super().misfits(variables, target, constants)
        try:
            _sentence(self.formula, tuple(variables), target, tuple(constants.items()))
        except FormulaError as error:
            yield str(error)

    def mentions_law(self, variables: Sequence[str] | None, target: str, constants: Mapping[str, float]) -> bool:
        try:
            sentence = (
                read_logic(self.formula)
                if variables is None
                else _sentence(self.formula, tuple(variables), target, tuple(constants.items()))
            )
        except FormulaError:
            return True
        return can_mention_law(sentence, constants)

    def misreadings(self, variables: Sequence[str], target: str, constants: Mapping[str, float]) -> Iterator[str]:
        with suppress(FormulaError):
            trap = warn_of_order(_sentence(self.formula, tuple(variables), target, tuple(constants.items())))
            if trap:
                yield trap

    def check(self, law: Law, *, points: int = 256, proof: bool = False) -> Verdict:
        sentence = _sentence(self.formula, tuple(law.variables), law.target, tuple(law.constants.items()))
        return sentence.check(
            replace(law, ranges={**law.ranges, **self.where}), points=points, proof=proof, deadline=law.deadline
        )

    def sentence(self, target: str) -> str:
        return self.formula


@lru_cache(maxsize=64)
def _sentence(
    formula: str, variables: tuple[str, ...], target: str, constants: tuple[tuple[str, float], ...]
) -> Sentence:
    return parse_logic(formula, variables=variables, target=target, constants=dict(constants))
