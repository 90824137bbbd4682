"""Names for authors of kinds of rules: the rule, the keys of its table, and what it claims of a law.

A kind is a class that derives from :class:`Rule`. A package offers it through the entry point group ``hypo.rules``; within one
program it goes into ``Knowledge(rules=[…])``. These names stay where they are; the modules behind them may move.

- :class:`Rule`: the base class of all kinds; its docstring has an example.
- ``parameter(POSITIVE, words="…")``: a key of the rule's table; the sorts of keys are ``NUMBER`` and the like.
- :class:`Law`: the question to a rule, a formula with its target, its variables and their ranges.
- :class:`Claim` and its kinds: a statement that can be measured at points, enclosed over boxes, and proved.
- :class:`Domain`: where a claim is to hold.
- :class:`Verdict`: the outcome, a level of proof, the violation, a witness.
- :class:`TableRows`, :class:`RowBreach`: the rows of a table, and those of them that break a rule (``check_rows``).
- :class:`AllowedValues`, ``Box``: which numbers a law may have over which ranges (``allowed_values``).
"""

from __future__ import annotations

from hypo.knowledge.claims.claim import PROVED, REFUTED, UNREFUTED, Claim, Sides, Verdict, Witness
from hypo.knowledge.claims.claim_forms import AlmostEverywhere, Defined, Measured, Roughly
from hypo.knowledge.claims.combinations import And, Implies, Not, Or
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.proof import check_claim
from hypo.knowledge.rows.breach import RowBreach, RowResult
from hypo.knowledge.rows.table_rows import Mask, TableRows
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.boxes import AllowedValues, Approach, Box
from hypo.knowledge.rules.parameters import (
    EXTENDED,
    FLAG,
    FORMULA,
    INTERVALS,
    NONNEGATIVE,
    NUMBER,
    NUMBERS,
    PAIR,
    POINT,
    POSITIVE,
    TEXT,
    VARIABLE,
    VARIABLES,
    WEIGHT,
    OneOf,
    ReportProblem,
    Sort,
    parameter,
)

__all__ = [
    "EXTENDED",
    "FLAG",
    "FORMULA",
    "INTERVALS",
    "NONNEGATIVE",
    "NUMBER",
    "NUMBERS",
    "PAIR",
    "POINT",
    "POSITIVE",
    "PROVED",
    "REFUTED",
    "TEXT",
    "UNREFUTED",
    "VARIABLE",
    "VARIABLES",
    "WEIGHT",
    "AllowedValues",
    "AlmostEverywhere",
    "And",
    "Approach",
    "Box",
    "Claim",
    "Comparison",
    "Defined",
    "Domain",
    "Implies",
    "Law",
    "Mask",
    "Measured",
    "Not",
    "OneOf",
    "Or",
    "ReportProblem",
    "Roughly",
    "RowBreach",
    "RowResult",
    "Rule",
    "Sides",
    "Sort",
    "TableRows",
    "Verdict",
    "Witness",
    "check_claim",
    "parameter",
]
