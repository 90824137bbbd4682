"""Background knowledge: rules, the file that states them, its linter, and how far a formula violates them."""

from hypo.knowledge.knowledge import Knowledge, NamedConstant, Violation
from hypo.knowledge.lint import Finding, lint

__all__ = ["Finding", "Knowledge", "NamedConstant", "Violation", "lint"]
