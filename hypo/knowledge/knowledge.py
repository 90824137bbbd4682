"""Background knowledge: what is stated about the law beforehand, and how far a formula violates it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from typing import Any

from hypo.errors import KnowledgeError
from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.expression.printing import shortened
from hypo.keywords import check_fields
from hypo.knowledge.claims.claim import Verdict
from hypo.knowledge.claims.law import Law
from hypo.knowledge.file.column_names import foreign_names
from hypo.knowledge.file.reader import read_file, read_sections
from hypo.knowledge.file.rules import describe_rule_conflict
from hypo.knowledge.file.units import UNIT_SETTINGS, describe_unit_conflict, is_same_unit
from hypo.knowledge.grammar import SOURCES, Grammar, Violation
from hypo.knowledge.limits import NamedConstant, NumberLimits
from hypo.knowledge.motion import MotionKnowledge
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.contradictions import contradictions
from hypo.knowledge.template import Template
from hypo.knowledge.text.problems import Report
from hypo.knowledge.text.wording import kind
from hypo.units import DIMENSIONLESS, Dimension, Unit

__all__ = ["Knowledge", "NamedConstant", "Violation"]


@check_fields
@dataclass(frozen=True)
class Knowledge:
    """All that is stated of a law: units, named constants, the grammar of admissible formulas, its form, and rules.

    ``units`` maps the target's and the columns' names to units (texts such as ``"m/s^2"`` are read),
    ``constants`` maps names to :class:`NamedConstant`. ``operators`` None means every operator. Names of
    operators may be aliases (``^``, ``ln``); they are kept as the table's names. ``nesting["sin"] = ("sin",
    "exp")``: neither occurs anywhere inside a sine. ``strict_angles`` keeps rad as a dimension; ``soft``
    makes units cost a penalty instead of excluding. Once any unit is given, a column without one counts as a
    pure number, and a target without one may have any.

    ``max_depth`` counts levels, a leaf is one. ``must_use``, ``must_not_use`` and the groups of
    ``never_together`` (of which a formula has one name at most) hold columns and named constants.
    ``only["theta"] = ("sin", "cos")``: theta occurs only inside one of these, at any depth;
    ``never_inside["x"] = ("exp",)``: x occurs nowhere inside exp. ``constant_limits`` holds for literal and
    fitted numbers outside exponents, ``exponents`` for those of ``**``, square and cube (``sqrt``, ``cbrt``
    and divisions are operators, not exponents); both are :class:`NumberLimits` or what the file may say.
    ``priors`` maps operators to weights > 0: each use costs -log(weight) nats, 1 changes nothing.

    ``ranges`` gives columns the domain (least, greatest) on which ``rules`` hold; a rule is a :class:`Rule` or a
    table as in a file. ``template`` is a :class:`Template` or ``{"form": …}``, ``guesses`` are formulas to start from.
    ``dynamics`` is what is known of laws of motion, for :func:`hypo.fit_dynamics` only.

    Short forms add nothing to a grammar and come with their sources: ``neg`` with ``-``; ``inv`` with
    ``/``; ``square`` and ``cube`` with ``*`` or ``**``; ``cbrt`` with ``**`` (unless all operators are
    allowed, where it is one of them). They go with them too, when ``forbid`` takes all their sources away
    and ``operators`` does not list them. A whole power ``x**n`` counts as products (and a division when n <
    0), ``x**0.5`` as ``sqrt``, and the minus of a number as part of it, unless ``forbid`` names ``**`` or
    ``neg``.

    Raises KnowledgeError with all problems, one per line, kept apart in its ``problems``.
    """

    units: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    operators: tuple[str, ...] | None = None
    forbid: tuple[str, ...] = ()
    max_complexity: int | None = None
    nesting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    strict_angles: bool = False
    soft: bool = False
    source: str = field(default="knowledge", compare=False)
    max_depth: int | None = None
    must_use: tuple[str, ...] = ()
    must_not_use: tuple[str, ...] = ()
    never_together: tuple[tuple[str, ...], ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    never_inside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constant_limits: NumberLimits | None = None
    exponents: NumberLimits | None = None
    priors: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    template: Template | None = None
    guesses: tuple[str, ...] = ()
    dynamics: MotionKnowledge | None = None

    def __post_init__(self) -> None:
        report = Report(self.source)
        units = self.units
        if isinstance(units, Mapping):
            for key in UNIT_SETTINGS:
                if key in units:
                    report.add(("units", key), "this name is a setting of [units]; rename the column")
            units = {**units, "strict_angles": self.strict_angles, "hard": not self.soft}
        grammar = {
            "constants" if name == "constant_limits" else name: value
            for name, value in Grammar.of(self).keys().items()
            if name != "priors"
        }
        fields = read_sections(
            {
                "units": units,
                "constants": self.constants,
                "grammar": grammar,
                "priors": self.priors,
                "ranges": self.ranges,
                "template": self.template,
                "guesses": self.guesses,
                "dynamics": self.dynamics,
                "rule": self.rules,
            },
            report,
        )
        report.raise_if_any()
        for name, value in fields.as_keywords().items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        said = [f"[{name}] {len(section)}" for name, section in self.as_dict().items()]
        return f"<Knowledge {shortened(self.source)}: {', '.join(said) or 'nothing is stated'}>"

    # --- loading ----------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | PathLike[str], target: str = "f") -> Knowledge:
        """The knowledge in a TOML file; raises KnowledgeError naming file and line of every problem.

        ``target`` is what the problems call the law.
        """
        if not isinstance(path, str | PathLike):
            advice = "a dictionary is read by Knowledge.from_dict" if isinstance(path, Mapping) else "give its path"
            raise KnowledgeError(f"expected the path of a knowledge file, got {kind(path)}; {advice}")
        fields, report = read_file(path, target)
        report.raise_if_any()
        return cls(**fields.as_keywords(), source=str(path))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "knowledge", target: str = "f") -> Knowledge:
        """The knowledge in a dictionary shaped like a file; raises KnowledgeError with every problem; see :meth:`load`."""
        report = Report(source, target=target)
        fields = read_sections(data, report)
        report.raise_if_any()
        return cls(**fields.as_keywords(), source=source)

    def as_dict(self) -> dict[str, Any]:
        """The dictionary (of JSON and TOML values) that :meth:`from_dict` reads back."""
        units: dict[str, Any] = {name: unit.text for name, unit in self.units.items()}
        if self.strict_angles:
            units["strict_angles"] = True
        if self.soft:
            units["hard"] = False
        sections: dict[str, Any] = {
            "units": units,
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
            "constants": {name: {"value": c.value, "unit": c.unit.text} for name, c in self.constants.items()},
            "grammar": self.grammar.as_dict(),
            "priors": dict(self.priors),
            "template": {} if self.template is None else {"form": self.template.form},
            "guesses": {"forms": list(self.guesses)} if self.guesses else {},
            "dynamics": {} if self.dynamics is None else self.dynamics.as_dict(),
            "rule": [rule.as_dict() for rule in self.rules],
        }
        return {name: section for name, section in sections.items() if section}

    def with_units(self, units: Mapping[str, str | Unit]) -> Knowledge:
        """This knowledge with the units of a table's header added; raises KnowledgeError on conflict."""
        stated = Knowledge(units=units, strict_angles=self.strict_angles, source=self.source).units
        report = Report(self.source)
        for name, unit in stated.items():
            mine = self.units.get(name)
            if mine is not None and not is_same_unit(mine, unit):
                report.add(("units", name), describe_unit_conflict(mine, unit))
            if name in self.constants:
                report.add(("constants", name), "the table has a column of this name; rename one of them")
        report.raise_if_any()
        return replace(self, units={**stated, **self.units})

    def require_names(self, columns: Sequence[str], target: str, constant: Mapping[str, float] | None = None) -> None:
        """Raises KnowledgeError when a rule, the template or must_use names what is no column of the table (nor a constant);
        ``constant`` has the values of columns that were left out because they never change."""
        report = Report(self.source)
        for path, level, message in foreign_names(self, columns, target, constant or {}):
            if level == "error":
                report.add(path, message)
        report.raise_if_any()

    def require_agreement(self, domain: Mapping[str, tuple[float, float]], target: str) -> None:
        """Raises KnowledgeError when hard rules contradict each other; ``domain`` is that of the data, where none is stated."""
        report = Report(self.source)
        for i, j, why in contradictions(self.rules, {**domain, **self.ranges}, target):
            if self.rules[i].hard and self.rules[j].hard:
                report.add(("rule", j), describe_rule_conflict(i, why, None))
        report.raise_if_any()

    # --- the grammar ------------------------------------------------------------------------------

    @cached_property
    def grammar(self) -> Grammar:
        """The keys of [grammar] and [priors], which check formulas by themselves."""
        return Grammar.of(self)

    def allowed_operators(self, default: Sequence[str]) -> tuple[str, ...]:
        """The operators to search with: those listed (else ``default``) and the short forms of ``default``
        that come with them, less the forbidden ones; in the order of the list, then of ``default``."""
        short = [name for name in default if name in SOURCES]
        listed = default if self.operators is None else (*self.operators, *short)
        return tuple(name for name in dict.fromkeys(listed) if name in self.grammar.permitted)

    @property
    def prior_costs(self) -> Mapping[str, float]:
        """The cost of each use of an operator, -log(weight) in nats; operators not listed cost nothing."""
        return self.grammar.costs

    def prior_cost(self, e: Expression) -> float:
        """-log of the product of the prior weights of all operators of ``e``, in nats; 0 without priors."""
        return self.grammar.prior_cost(e)

    @cached_property
    def dimensions(self) -> dict[str, Dimension]:
        """The dimension of every name that has a unit: target, columns and constants."""
        return {name: unit.dimension for name, unit in self.units.items()} | self._constant_dimensions

    @cached_property
    def _constant_dimensions(self) -> dict[str, Dimension]:
        return {name: c.unit.dimension for name, c in self.constants.items()}

    # --- violations -------------------------------------------------------------------------------

    def violations(
        self, e: Expression, target: str, weights: Mapping[str, float] | None = None
    ) -> tuple[Violation, ...]:
        """All that ``e``, as a formula for ``target``, breaks of grammar and units; empty when it keeps all.

        Amounts: ``operators`` and ``forbid`` count the nodes with an operator not listed, or forbidden;
        ``max_complexity`` and ``max_depth`` are the relative excess (c - max)/max, with the complexity weighted
        by ``weights`` as in :meth:`Expression.complexity`; ``must_use`` counts the names missing,
        ``must_not_use`` those present, ``never_together`` those present beside the first of their group;
        ``nesting`` and ``never_inside`` count the pairs (outer node, banned node or name below it), ``only``
        the places outside; ``constants`` and ``exponents`` sum :meth:`NumberLimits.excess`, in (0, 1] for each
        number; ``units`` counts the nodes whose arguments' dimensions do not fit, the root counting once more
        when it does not have the target's. All are hard but ``units`` when ``soft``. For ``rules`` see
        :meth:`verdicts`.
        """
        return tuple(self._each(e, target, weights))

    def violation(self, e: Expression, target: str) -> float:
        """The sum of all amounts of :meth:`violations`; 0 when every rule is kept."""
        return math.fsum(v.amount for v in self._each(e, target, None))

    def is_hard_violated(self, e: Expression, target: str) -> bool:
        """True if ``e`` breaks something that excludes it; stops at the first."""
        return any(v.hard for v in self._each(e, target, None, soft_too=False))

    def verdicts(self, law: Law, *, points: int = 256, proof: bool = False) -> tuple[tuple[Rule, Verdict], ...]:
        """How ``law`` fares under each of the rules, in their order; see :meth:`Rule.check`."""
        return tuple((rule, rule.check(law, points=points, proof=proof)) for rule in self.rules)

    def _each(
        self, e: Expression, target: str, weights: Mapping[str, float] | None, soft_too: bool = True
    ) -> Iterator[Violation]:
        """The violations, those cheapest to find first."""
        yield from self.grammar.violations(e, weights)
        if self.units and (soft_too or not self.soft):
            yield from self._unit_violations(e, target)

    def _unit_violations(self, e: Expression, target: str) -> Iterator[Violation]:
        columns = {name: self.dimensions.get(name, DIMENSIONLESS) for name in e.variables}
        found = infer(e, columns, self._constant_dimensions, self.dimensions.get(target))
        if found.inconsistent:
            message = found.messages[0]
            if found.inconsistent > 1:
                message += f"; {found.inconsistent} such places in all"
            yield Violation("units", float(found.inconsistent), message, hard=not self.soft)
