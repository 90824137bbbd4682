"""The grammar of admissible formulas: which operators, names, numbers and sizes a formula may have, and how far it strays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge.limits import NumberLimits
from hypo.knowledge.text.wording import join

# A short form adds nothing that its sources cannot write: -x is 0 - x, 1/x a division, x**2 a product.
SOURCES: dict[str, tuple[str, ...]] = {row.name: row.sources for row in ops.OPERATORS if row.sources}
_POWERS = {oc.SQUARE: 2.0, oc.CUBE: 3.0}


@dataclass(frozen=True)
class Violation:
    """How far a formula breaks one rule.

    ``rule`` is ``units`` or a key of [grammar]; ``amount`` > 0 grows with the breach (see :meth:`Knowledge.violations`);
    ``hard`` says that such a formula is not a hypothesis at all.
    """

    rule: str
    amount: float
    message: str
    hard: bool = True


def permit(operators: Iterable[str] | None, forbid: Iterable[str]) -> frozenset[str]:
    """The operators a formula may use: those given (None: all) less those forbidden.

    A short form of ``SOURCES`` is permitted when it is listed itself or one of its sources is permitted; so
    ``*`` brings ``square``, and forbidding ``/`` forbids ``inv``. ``cbrt`` is a function of its own where
    all operators are allowed. A short form that is forbidden by name always is.
    """
    banned = frozenset(forbid)
    own = frozenset(ops.BY_NAME) - (SOURCES.keys() - {"cbrt"})
    base = (own if operators is None else frozenset(operators)) - banned
    return base | {s for s, sources in SOURCES.items() if s not in banned and not base.isdisjoint(sources)}


@dataclass(frozen=True)
class Grammar:
    """The keys of [grammar] and [priors]; see :class:`~hypo.knowledge.Knowledge` for what each says."""

    operators: tuple[str, ...] | None = None
    forbid: tuple[str, ...] = ()
    max_complexity: int | None = None
    max_depth: int | None = None
    nesting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    must_use: tuple[str, ...] = ()
    must_not_use: tuple[str, ...] = ()
    never_together: tuple[tuple[str, ...], ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    never_inside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constant_limits: NumberLimits | None = None
    exponents: NumberLimits | None = None
    priors: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, knowledge: Any) -> Grammar:
        """The grammar in something that has fields of these names."""
        return cls(**{f.name: getattr(knowledge, f.name) for f in fields(cls)})

    def keys(self) -> dict[str, Any]:
        """The values that are stated, by the names of the fields."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __repr__(self) -> str:
        return f"<Grammar: {', '.join(self.as_dict()) or 'nothing is stated'}>"

    def as_dict(self) -> dict[str, Any]:
        """The table [grammar] that reads back as this grammar, without the priors, which are a section."""
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "priors" or value is None or (not value and f.name != "operators"):
                continue
            if isinstance(value, NumberLimits):
                value = value.as_dict()
            elif isinstance(value, Mapping):
                value = {name: list(listed) for name, listed in value.items()}
            elif isinstance(value, tuple):
                value = [list(v) if isinstance(v, tuple) else v for v in value]
            out["constants" if f.name == "constant_limits" else f.name] = value
        return out

    # --- what is stated, as opcodes ---------------------------------------------------------------------------

    @cached_property
    def permitted(self) -> frozenset[str]:
        """The operators a formula may use."""
        return permit(self.operators, self.forbid)

    @cached_property
    def excluded(self) -> frozenset[int]:
        """Opcodes that a formula may not use."""
        return frozenset(row.opcode for row in ops.BY_NAME.values() if row.name not in self.permitted)

    @cached_property
    def banned_inside(self) -> dict[int, frozenset[int]]:
        """For an outer opcode the opcodes banned below it; a short form is treated as its sources."""
        banned: dict[str, frozenset[str]] = {}
        for outer, inner in self.nesting.items():
            banned[outer] = frozenset(inner) | _find_implied(inner)
        for short, sources in SOURCES.items():
            shared = frozenset.intersection(*(banned.get(s, frozenset()) for s in sources))
            if shared and short != "cbrt":
                banned[short] = banned.get(short, frozenset()) | shared
        return {ops.BY_NAME[o].opcode: _opcodes(inner) for o, inner in banned.items() if inner}

    @cached_property
    def _homes(self) -> dict[str, frozenset[int]]:
        """For a name the opcodes one of which it must stand in; any source brings its short forms."""
        return {
            name: _opcodes({*listed, *(s for s, sources in SOURCES.items() if not set(sources).isdisjoint(listed))})
            for name, listed in self.only.items()
        }

    @cached_property
    def _barred(self) -> dict[str, frozenset[int]]:
        """For a name the opcodes it must not stand in."""
        return {name: _opcodes({*listed, *_find_implied(listed)}) for name, listed in self.never_inside.items()}

    @cached_property
    def costs(self) -> dict[str, float]:
        """Cost in nats of each use of an operator, -log(weight); a short form costs what its cheapest source does."""
        found = {name: -math.log(weight) for name, weight in self.priors.items()}
        for short, sources in SOURCES.items():
            if short not in found and short != "cbrt":
                cost = min(found.get(s, 0.0) for s in sources)
                if cost:
                    found[short] = cost
        return found

    @cached_property
    def _cost_of(self) -> dict[int, float]:
        return {ops.BY_NAME[name].opcode: cost for name, cost in self.costs.items()}

    @cached_property
    def _names_matter(self) -> bool:
        return bool(self.must_use or self.must_not_use or self.never_together)

    def prior_cost(self, e: Expression) -> float:
        """Σ -log(weight) over the operators of ``e``, in nats; 0 without priors."""
        if not self.priors:
            return 0.0
        return math.fsum(self._cost_of.get(op, 0.0) for op, _ in e.code)

    # --- violations -------------------------------------------------------------------------------------------

    def violations(self, e: Expression, weights: Mapping[str, float] | None = None) -> Iterator[Violation]:
        """All that ``e`` breaks, cheapest to find first; amounts as in :meth:`Knowledge.violations`."""
        limit = self.max_complexity
        if limit is not None:
            size = e.complexity(weights)
            if size > limit:
                yield Violation(
                    "max_complexity", (size - limit) / limit, f"the complexity {size:g} is above the maximum of {limit}"
                )
        codes = [op for op, _ in e.code]
        if not self.excluded.isdisjoint(codes):
            yield from self._operator_violations(e, codes)
        if self._names_matter:
            yield from self._name_violations(e)
        if self.max_depth is not None and e.depth > self.max_depth:
            yield Violation(
                "max_depth",
                (e.depth - self.max_depth) / self.max_depth,
                f"the depth {e.depth} is above the maximum of {self.max_depth}",
            )
        if not self.banned_inside.keys().isdisjoint(codes):
            yield from self._nesting_violations(e, codes)
        if self.only or self.never_inside:
            yield from self._place_violations(e, codes)
        if self.constant_limits is not None or self.exponents is not None:
            yield from self._number_violations(e)

    def _operator_violations(self, e: Expression, codes: list[int]) -> Iterator[Violation]:
        bad = Counter(
            ops.BY_OPCODE[op].name
            for i, op in enumerate(codes)
            if op in self.excluded and not self._writes_permitted(e, i)
        )
        for rule, reason in (("forbid", "forbidden"), ("operators", "not among the allowed operators")):
            counts = {name: n for name, n in bad.items() if (name in self.forbid) == (rule == "forbid")}
            if counts:
                names = ", ".join(f"{name} ({n} times)" if n > 1 else name for name, n in counts.items())
                verb = "is" if len(counts) == 1 else "are"
                yield Violation(rule, float(sum(counts.values())), f"{names} {verb} {reason}")

    def _writes_permitted(self, e: Expression, node: int) -> bool:
        """True if the node only writes what is permitted: a negative number, a whole power, a root."""
        name, before = ops.BY_OPCODE[e.code[node][0]].name, e.code[node - 1]
        if before[0] != oc.CONST or name in self.forbid:
            return False
        constant = e.constants[before[1]]
        if name == "neg":
            return True
        if name != "**" or not constant.is_literal:
            return False
        if constant.value == 0.5:
            return "sqrt" in self.permitted
        needed = {"*"} if constant.value > 0 else {"*", "/"}
        return constant.value.is_integer() and needed <= self.permitted

    def _name_violations(self, e: Expression) -> Iterator[Violation]:
        used = set(e.variables).union(c.name for c in e.constants if c.name is not None)
        missing = [name for name in self.must_use if name not in used]
        if missing:
            yield Violation(
                "must_use", float(len(missing)), f"{join(missing)} must be used, but {_do(missing)} not occur"
            )
        unwanted = [name for name in self.must_not_use if name in used]
        if unwanted:
            yield Violation("must_not_use", float(len(unwanted)), f"{join(unwanted)} must not be used")
        pairs = [[name for name in group if name in used] for group in self.never_together]
        clashes = [present for present in pairs if len(present) > 1]
        if clashes:
            message = "; ".join(f"{join(present)} must not stand in one formula" for present in clashes)
            yield Violation("never_together", float(sum(len(present) - 1 for present in clashes)), message)

    def _nesting_violations(self, e: Expression, codes: list[int]) -> Iterator[Violation]:
        pairs: Counter[tuple[int, int]] = Counter()
        for i, outer in enumerate(codes):
            banned = self.banned_inside.get(outer)
            if banned:
                pairs.update((outer, inner) for inner in codes[e.starts[i] : i] if inner in banned)
        if pairs:
            (outer, inner), _ = pairs.most_common(1)[0]
            message = f"{ops.BY_OPCODE[inner].name} stands inside {ops.BY_OPCODE[outer].name}"
            if len(pairs) > 1 or pairs.total() > 1:
                message += f"; {pairs.total()} such pairs in all"
            yield Violation("nesting", float(pairs.total()), message)

    def _place_violations(self, e: Expression, codes: list[int]) -> Iterator[Violation]:
        """Names that stand outside the operators they are bound to, or inside those they are kept from."""
        outside: Counter[str] = Counter()
        inside: Counter[tuple[str, int]] = Counter()
        for i, (op, arg) in enumerate(e.code):
            name = e.variables[arg] if op == oc.VAR else e.constants[arg].name if op == oc.CONST else None
            if name is None or not (name in self._homes or name in self._barred):
                continue
            above = [codes[k] for k in range(i + 1, len(codes)) if e.starts[k] <= i]
            if name in self._homes and self._homes[name].isdisjoint(above):
                outside[name] += 1
            inside.update((name, outer) for outer in above if outer in self._barred.get(name, ()))
        if outside:
            yield Violation(
                "only",
                float(outside.total()),
                "; ".join(
                    f"{name} stands outside {join(self.only[name], 'or')}{_times(n)}" for name, n in outside.items()
                ),
            )
        if inside:
            yield Violation(
                "never_inside",
                float(inside.total()),
                "; ".join(
                    f"{name} stands inside {ops.BY_OPCODE[outer].name}{_times(n)}"
                    for (name, outer), n in inside.items()
                ),
            )

    def _number_violations(self, e: Expression) -> Iterator[Violation]:
        exponents, numbers = numbers_of(e)
        if self.exponents is not None:
            exponents += _find_disguised(e)
        for rule, limits, values in (
            ("exponents", self.exponents, exponents),
            ("constants", self.constant_limits, numbers),
        ):
            if limits is None:
                continue
            excess = [(1.0 if v is None else limits.excess(v), v) for v in values]
            total = math.fsum(x for x, _ in excess)
            if total > 0:
                first = next(v for x, v in excess if x)
                what = "an exponent" if rule == "exponents" else "a constant"
                is_now = f"{what} is {first:.6g}" if first is not None else f"{what} is no number"
                n = sum(x > 0 for x, _ in excess)
                more = f"; {n} such places in all" if n > 1 else ""
                yield Violation(rule, total, f"{is_now}, but must be {limits}{more}")


def numbers_of(e: Expression) -> tuple[list[float | None], list[float]]:
    """The exponents of ``e`` and its other numbers.

    Exponents are those of ``**``, square and cube, None where one is not made of constants alone. Numbers are the literal and
    the fitted constants outside exponents, with the minus before them; named constants are not among them.
    """
    exponents: list[float | None] = []
    numbers: list[float] = []
    in_exponent: set[int] = set()
    for i, (op, _) in enumerate(e.code):
        if op in _POWERS:
            exponents.append(_POWERS[op])
        elif op == oc.POW:
            nodes = range(e.starts[i - 1], i)
            value = _value(e, i - 1)
            exponents.append(value)
            if value is not None:
                in_exponent.update(nodes)
    for i, (op, arg) in enumerate(e.code):
        if op == oc.CONST and i not in in_exponent:
            constant = e.constants[arg]
            if constant.name is None or constant.free:
                negated = i + 1 < len(e.code) and e.code[i + 1][0] == oc.NEG
                numbers.append(-constant.value if negated else constant.value)
    return exponents, numbers


def _find_disguised(e: Expression) -> list[float | None]:
    """The exponents of powers that are written with exp and log: k in exp(k·log u + …), None where k is no number."""
    out: list[float | None] = []

    def terms(node: int, factor: float) -> None:
        op, _ = e.code[node]
        last = node - 1
        first = e.starts[last] - 1 if last >= 0 else -1
        if op == oc.LOG:
            out.append(factor)
        elif op == oc.NEG:
            terms(last, -factor)
        elif op in (oc.ADD, oc.SUB):
            terms(first, factor)
            terms(last, factor if op == oc.ADD else -factor)
        elif op == oc.MUL and (value := _value(e, first)) is not None:
            terms(last, factor * value)
        elif op in (oc.MUL, oc.DIV) and (value := _value(e, last)):
            terms(first, factor * value if op == oc.MUL else factor / value)
        elif op in (oc.MUL, oc.DIV) and (e.code[first][0] == oc.LOG or (op == oc.MUL and e.code[last][0] == oc.LOG)):
            out.append(None)

    for node, (op, _) in enumerate(e.code):
        if op == oc.EXP:
            terms(node - 1, 1.0)
    return out


def _value(e: Expression, node: int) -> float | None:
    """The number that the subtree at ``node`` is, None where it holds a variable."""
    op, arg = e.code[node]
    if op == oc.CONST:
        return e.constants[arg].value
    part = e.subtree(node)
    if part.variables:
        return None
    from hypo.expression.analysis.intervals import enclose

    bounds = enclose(part, {})
    return float(bounds.lo + bounds.hi) / 2


def _find_implied(listed: Iterable[str]) -> set[str]:
    """The short forms all of whose sources are listed."""
    return {s for s, sources in SOURCES.items() if s != "cbrt" and set(sources) <= set(listed)}


def _opcodes(names: Iterable[str]) -> frozenset[int]:
    return frozenset(ops.BY_NAME[name].opcode for name in names)


def _times(n: int) -> str:
    return f" ({n} times)" if n > 1 else ""


def _do(names: list[str]) -> str:
    return "does" if len(names) == 1 else "do"
