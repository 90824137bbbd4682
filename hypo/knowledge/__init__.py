"""Background knowledge: rules, the file that states them, its linter, and how far a formula violates them."""

from hypo.knowledge.knowledge import Knowledge, NamedConstant, Violation
from hypo.knowledge.lint import Finding, lint
from hypo.knowledge.rules import Law, Rule

__all__ = ["Finding", "Knowledge", "Law", "NamedConstant", "Rule", "Violation", "lint"]
