"""Sentences from their texts."""

from __future__ import annotations

from hypo.knowledge.logic.sentence import Sentence, parse_logic


def sentence(text: str, variables: tuple[str, ...] = ("x", "y"), target: str = "T", **constants: float) -> Sentence:
    return parse_logic(text, variables=variables, target=target, constants={"c": 3.0, **constants})
