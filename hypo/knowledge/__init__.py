"""Background knowledge: rules, the file that states them, its linter, and how far a formula violates them."""

from hypo.knowledge.claims.law import Law
from hypo.knowledge.grammar import Violation
from hypo.knowledge.knowledge import Knowledge
from hypo.knowledge.limits import NamedConstant, NumberLimits
from hypo.knowledge.linter.check import Finding, lint
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.template import BoundTemplate, Template

__all__ = [
    "BoundTemplate",
    "Finding",
    "Knowledge",
    "Law",
    "NamedConstant",
    "NumberLimits",
    "Rule",
    "Template",
    "Violation",
    "lint",
]
