"""Background knowledge: what is stated about the law beforehand, and how far a formula violates it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from typing import Any

from hypo.expression import ops
from hypo.expression.dimension import infer
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge.reading import (
    SOURCES,
    UNIT_SETTINGS,
    NamedConstant,
    Report,
    permitted,
    read_file,
    read_sections,
)
from hypo.units import DIMENSIONLESS, Dimension, Unit

__all__ = ["Knowledge", "NamedConstant", "Violation"]


@dataclass(frozen=True)
class Violation:
    """How far a formula breaks one rule.

    ``rule`` is ``units``, ``operators``, ``forbid``, ``max_complexity`` or ``nesting``; ``amount`` > 0
    grows with the breach (see :meth:`Knowledge.violations`); ``hard`` says that such a formula is not a
    hypothesis at all.
    """

    rule: str
    amount: float
    message: str
    hard: bool = True


@dataclass(frozen=True)
class Knowledge:
    """Units, named constants and the grammar of admissible formulas.

    ``units`` maps the target's and the columns' names to units (texts such as ``"m/s^2"`` are read),
    ``constants`` maps names to :class:`NamedConstant`. ``operators`` None means every operator. Names of
    operators may be aliases (``^``, ``ln``); they are kept as the table's names. ``nesting["sin"] = ("sin",
    "exp")``: neither occurs anywhere inside a sine. ``strict_angles`` keeps rad as a dimension; ``soft``
    makes units cost a penalty instead of excluding. Once any unit is given, a column without one counts as a
    pure number, and a target without one may have any.

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
    source: str = "knowledge"

    def __post_init__(self) -> None:
        report = Report(self.source)
        units = self.units
        if isinstance(units, Mapping):
            for key in UNIT_SETTINGS:
                if key in units:
                    report.add(("units", key), "this name is a setting of [units]; rename the column")
            units = {**units, "strict_angles": self.strict_angles, "hard": not self.soft}
        fields = read_sections({"units": units, "constants": self.constants, "grammar": {
            "operators": self.operators, "forbid": self.forbid, "max_complexity": self.max_complexity,
            "nesting": self.nesting}}, report)
        report.raise_if_any()
        for name, value in vars(fields).items():
            object.__setattr__(self, name, value)

    # --- loading ----------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Knowledge:
        """The knowledge in a TOML file; raises KnowledgeError naming file and line of every problem."""
        fields, report = read_file(path)
        report.raise_if_any()
        return cls(**vars(fields), source=str(path))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "knowledge") -> Knowledge:
        """The knowledge in a dictionary shaped like a file; raises KnowledgeError with every problem."""
        report = Report(source)
        fields = read_sections(data, report)
        report.raise_if_any()
        return cls(**vars(fields), source=source)

    def as_dict(self) -> dict[str, Any]:
        """The dictionary (of JSON and TOML values) that :meth:`from_dict` reads back."""
        units: dict[str, Any] = {name: unit.text for name, unit in self.units.items()}
        if self.strict_angles:
            units["strict_angles"] = True
        if self.soft:
            units["hard"] = False
        constants = {name: {"value": c.value, "unit": c.unit.text} for name, c in self.constants.items()}
        grammar: dict[str, Any] = {}
        if self.operators is not None:
            grammar["operators"] = list(self.operators)
        if self.forbid:
            grammar["forbid"] = list(self.forbid)
        if self.max_complexity is not None:
            grammar["max_complexity"] = self.max_complexity
        if self.nesting:
            grammar["nesting"] = {outer: list(inner) for outer, inner in self.nesting.items()}
        sections = {"units": units, "constants": constants, "grammar": grammar}
        return {name: section for name, section in sections.items() if section}

    def with_units(self, units: Mapping[str, str | Unit]) -> Knowledge:
        """This knowledge with the units of a table's header added; raises KnowledgeError on conflict."""
        stated = Knowledge(units=units, strict_angles=self.strict_angles, source=self.source).units
        report = Report(self.source)
        for name, unit in stated.items():
            mine = self.units.get(name)
            if mine is not None and not same_unit(mine, unit):
                report.add(("units", name), contradiction(mine, unit))
            if name in self.constants:
                report.add(("constants", name), "the table has a column of this name; rename one of them")
        report.raise_if_any()
        return replace(self, units={**stated, **self.units})

    # --- the grammar ------------------------------------------------------------------------------

    def allowed_operators(self, default: Sequence[str]) -> tuple[str, ...]:
        """The operators to search with: those listed (else ``default``) and the short forms of ``default``
        that come with them, less the forbidden ones; in the order of the list, then of ``default``."""
        short = [name for name in default if name in SOURCES]
        listed = default if self.operators is None else (*self.operators, *short)
        return tuple(name for name in dict.fromkeys(listed) if name in self._permitted)

    @cached_property
    def dimensions(self) -> dict[str, Dimension]:
        """The dimension of every name that has a unit: target, columns and constants."""
        return {name: unit.dimension for name, unit in self.units.items()} | self._constant_dimensions

    @cached_property
    def _constant_dimensions(self) -> dict[str, Dimension]:
        return {name: c.unit.dimension for name, c in self.constants.items()}

    @cached_property
    def _permitted(self) -> frozenset[str]:
        return permitted(self.operators, self.forbid)

    @cached_property
    def _excluded(self) -> frozenset[int]:
        """Opcodes that a formula may not use."""
        return frozenset(row.opcode for row in ops.OPERATORS if row.name not in self._permitted)

    @cached_property
    def _banned_inside(self) -> dict[int, frozenset[int]]:
        """For an outer opcode the opcodes banned below it; a short form is treated as its sources."""
        banned: dict[str, frozenset[str]] = {}
        for outer, inner in self.nesting.items():
            hidden = (s for s, sources in SOURCES.items() if s != "cbrt" and set(sources) <= set(inner))
            banned[outer] = frozenset(inner).union(hidden)
        for short, sources in SOURCES.items():
            shared = frozenset.intersection(*(banned.get(s, frozenset()) for s in sources))
            if shared and short != "cbrt":
                banned[short] = banned.get(short, frozenset()) | shared
        return {ops.BY_NAME[o].opcode: frozenset(ops.BY_NAME[i].opcode for i in inner)
                for o, inner in banned.items() if inner}

    # --- violations -------------------------------------------------------------------------------

    def violations(self, e: Expression, target: str,
                   weights: Mapping[str, float] | None = None) -> tuple[Violation, ...]:
        """The rules that ``e``, as a formula for ``target``, breaks; empty when it keeps them all.

        Amounts: ``operators`` and ``forbid`` count the nodes with an operator not listed, or forbidden;
        ``max_complexity`` is the relative excess (c - max)/max, with c weighted by ``weights`` as in
        :meth:`Expression.complexity`; ``nesting`` counts the pairs (outer node, banned node below it);
        ``units`` counts the nodes whose arguments' dimensions do not fit, the root counting once more when
        it does not have the target's. All are hard but ``units`` when ``soft``.
        """
        return tuple(self._each(e, target, weights))

    def violation(self, e: Expression, target: str) -> float:
        """The sum of all amounts of :meth:`violations`; 0 when every rule is kept."""
        return math.fsum(v.amount for v in self._each(e, target, None))

    def is_hard_violated(self, e: Expression, target: str) -> bool:
        """Whether ``e`` breaks a rule that excludes it; stops at the first."""
        return any(v.hard for v in self._each(e, target, None, soft_too=False))

    def _each(self, e: Expression, target: str, weights: Mapping[str, float] | None,
              soft_too: bool = True) -> Iterator[Violation]:
        """The violations, those cheapest to find first."""
        limit = self.max_complexity
        if limit is not None:
            size = e.complexity(weights)
            if size > limit:
                yield Violation("max_complexity", (size - limit) / limit,
                                f"the complexity {size:g} is above the maximum of {limit}")
        codes = [op for op, _ in e.code]
        if not self._excluded.isdisjoint(codes):
            yield from self._operator_violations(e, codes)
        if not self._banned_inside.keys().isdisjoint(codes):
            yield from self._nesting_violations(e, codes)
        if self.units and (soft_too or not self.soft):
            yield from self._unit_violations(e, target)

    def _operator_violations(self, e: Expression, codes: list[int]) -> Iterator[Violation]:
        bad = Counter(ops.BY_OPCODE[op].name for i, op in enumerate(codes)
                      if op in self._excluded and not self._writes_permitted(e, i))
        for rule, reason in (("forbid", "forbidden"), ("operators", "not among the allowed operators")):
            counts = {name: n for name, n in bad.items() if (name in self.forbid) == (rule == "forbid")}
            if counts:
                names = ", ".join(f"{name} ({n} times)" if n > 1 else name for name, n in counts.items())
                verb = "is" if len(counts) == 1 else "are"
                yield Violation(rule, float(sum(counts.values())), f"{names} {verb} {reason}")

    def _writes_permitted(self, e: Expression, node: int) -> bool:
        """Whether the node only writes what is permitted: a negative number, a whole power, a root."""
        name, before = ops.BY_OPCODE[e.code[node][0]].name, e.code[node - 1]
        if before[0] != oc.CONST or name in self.forbid:
            return False
        constant = e.constants[before[1]]
        if name == "neg":
            return True
        if name != "**" or not constant.is_literal:
            return False
        if constant.value == 0.5:
            return "sqrt" in self._permitted
        needed = {"*"} if constant.value > 0 else {"*", "/"}
        return constant.value.is_integer() and needed <= self._permitted

    def _nesting_violations(self, e: Expression, codes: list[int]) -> Iterator[Violation]:
        pairs: Counter[tuple[int, int]] = Counter()
        for i, outer in enumerate(codes):
            banned = self._banned_inside.get(outer)
            if banned:
                pairs.update((outer, inner) for inner in codes[e.starts[i] : i] if inner in banned)
        if pairs:
            (outer, inner), _ = pairs.most_common(1)[0]
            message = f"{ops.BY_OPCODE[inner].name} stands inside {ops.BY_OPCODE[outer].name}"
            if len(pairs) > 1 or pairs.total() > 1:
                message += f"; {pairs.total()} such pairs in all"
            yield Violation("nesting", float(pairs.total()), message)

    def _unit_violations(self, e: Expression, target: str) -> Iterator[Violation]:
        columns = {name: self.dimensions.get(name, DIMENSIONLESS) for name in e.variables}
        found = infer(e, columns, self._constant_dimensions, self.dimensions.get(target))
        if found.inconsistent:
            message = found.messages[0]
            if found.inconsistent > 1:
                message += f"; {found.inconsistent} such places in all"
            yield Violation("units", float(found.inconsistent), message, hard=not self.soft)


def same_unit(a: Unit, b: Unit) -> bool:
    """Whether two units mean the same, however written."""
    return a.dimension == b.dimension and math.isclose(a.factor, b.factor, rel_tol=1e-9)


def contradiction(stated: Unit, header: Unit) -> str:
    """Why the unit of the knowledge file and that of the table's header cannot both be right."""
    return (f'"{stated.text}" contradicts the unit [{header.text}] in the table\'s header; '
            "correct one of them, or leave it out here")
