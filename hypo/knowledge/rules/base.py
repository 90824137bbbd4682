"""Rules about a law: what a kind of rule must offer, and what it is given."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from hypo.errors import KnowledgeError
from hypo.knowledge.claims.claim import REFUTED, Claim, Verdict, combine_verdicts
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.proof import check_claim
from hypo.knowledge.rows.breach import RowBreach, RowResult
from hypo.knowledge.rules.boxes import AllowedValues, Box, meet
from hypo.knowledge.rules.parameters import FLAG, INTERVALS, POSITIVE, TEXT, WEIGHT, Range, ReportProblem, parameter
from hypo.knowledge.text.wording import bare, join, show, suggestion

if TYPE_CHECKING:
    from hypo.knowledge.rows.table_rows import Mask, TableRows

NOWHERE: Mapping[str, tuple[float, float]] = MappingProxyType({})
"""No further domain."""
_GUARDED = ("check", "claims", "proofs", "check_rows", "allowed_values", "conflict", "narrowing")
"""The methods of a kind that call for its own judgement: those of plug-ins may fail or return something else."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(parameter,))
@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """Knowledge about a law. Subclasses are kinds; third parties add theirs through the entry point group ``hypo.rules``.

    ``weight`` multiplies the violation, ``hard`` excludes formulas that break the rule, ``where`` gives variables another
    domain than ``law.ranges`` (ends may be infinite), ``label`` is the rule's name in reports, and ``tolerance`` says how far
    off counts as kept; a kind without use for it says ``tolerant = False``. A kind says ``total = True`` if it holds only for
    laws with a value at every point of the domain, which lets hard rules prune the search.

    A kind needs its name, the keys of its table, and what they claim of a law::

        from hypo import Expression
        from hypo.rules import POSITIVE, VARIABLE, Comparison, Rule, parameter

        class Saturates(Rule):
            kind = "saturates"
            variable: str = parameter(VARIABLE, words="the variable")
            slope: float = parameter(POSITIVE, default=1e-3)

            def claims(self, law):
                slope = law.derivative(self.variable)
                return [(Comparison(slope, "<=", Expression.constant(self.slope)), self.domain(law))]

    It may define ``check`` instead of ``claims``; ``sentence`` says the rule in words, ``inconsistencies`` what is wrong with
    keys that are right each on its own. ``hypo check`` asks it by ``check_rows`` which rows of a table break it, and by
    ``allowed_values``, ``conflict`` and ``narrowing`` which other rules it does not go together with.

    Instances are immutable, made with keywords, and raise KnowledgeError with all problems; ``check`` raises it when the
    methods of a kind fail or return something else.
    """

    kind: ClassVar[str]
    tolerant: ClassVar[bool] = True
    total: ClassVar[bool] = False
    stated_in: ClassVar[str] = ""
    """The key whose text is a sentence of its own, about which :meth:`misfits` and :meth:`misreadings` speak; mostly none."""
    weight: float = parameter(WEIGHT, default=1.0)
    hard: bool = parameter(FLAG, default=False)
    where: Mapping[str, tuple[float, float]] = parameter(INTERVALS, default={})
    label: str | None = parameter(TEXT, default=None)
    tolerance: float | None = parameter(POSITIVE, default=None)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in cls.__dict__ and cls.claims is Rule.claims and cls.check is Rule.check:
            raise TypeError(f"the rule kind {cls.kind!r} ({cls.__name__}) must define claims or check")
        for name in _GUARDED:
            if name in cls.__dict__ and not _is_own(cls):
                setattr(cls, name, _guard(cls.__dict__[name]))
        dataclass(frozen=True, kw_only=True)(cls)
        if "kind" in cls.__dict__ and _is_own(cls):
            _register(cls)

    def __post_init__(self) -> None:
        self._check_kind()
        found: list[str] = []
        self._read_keys(lambda path, message: found.append(f"{_place(self.kind, path)}: {message}"))
        if found:
            error = KnowledgeError("\n".join(found))
            error.__dict__["problems"] = tuple(found)
            raise error

    @classmethod
    def _check_kind(cls) -> None:
        kind = getattr(cls, "kind", None)
        if not isinstance(kind, str) or not kind:
            raise KnowledgeError(f'the rule class {_class_name(cls)} has no kind; write kind = "its_name" in its body')
        if not _is_own(cls) and kind in _BUILT_IN:
            raise KnowledgeError(
                f"the rule class {_class_name(cls)} has the kind {kind}, which is built in; choose another name"
            )

    # --- what a kind defines ----------------------------------------------------------------------

    def claims(self, law: Law) -> Sequence[tuple[Claim, Domain]]:
        """The statements of the rule about ``law``: all of these claims, each over its domain."""
        raise NotImplementedError

    def proofs(self, law: Law) -> Sequence[tuple[Claim, Domain]]:
        """Claims that hold together just where the rule does, to be proved; none if there is no way to prove it."""
        return self.claims(law)

    def sentence(self, target: str) -> str:
        """The rule in words, without its domain."""
        own = {f.name: getattr(self, f.name) for f in _own_keys(type(self))}
        stated = [f"{name} = {_plainly(value)}" for name, value in own.items() if value is not None]
        return f"{target} {self.kind.replace('_', ' ')}" + (f" with {join(stated)}" if stated else "")

    def inconsistencies(self) -> Iterator[tuple[str, str]]:
        """(key, what is wrong with it) for keys that do not go together; called when each on its own is right."""
        return iter(())

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        """The ``rows`` (n_row,) of a table, those in the domain, that break the rule, or why no row can test it, or None."""
        return None

    def allowed_values(self, known: Box) -> Iterator[AllowedValues]:
        """The numbers that a law may have by the rule, for each box that it limits them over; see :meth:`box`."""
        return iter(())

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        """Why no law but a trivial one keeps both rules, other than by their allowed values; either rule may say so."""
        return None

    def narrowing(self, other: Rule, known: Box) -> str | None:
        """Which narrow kind of laws both rules leave: constant or linear in a variable; either rule may say so."""
        return None

    def equates(self, variable: str, common: Range, within: Range) -> bool:
        """True if the law has the same size at two values of the variable, one in ``common`` and another in ``within``."""
        return False

    def mentions_law(self, variables: Sequence[str] | None, target: str, constants: Mapping[str, float]) -> bool:
        """False if the rule is true or false of every law alike; ``variables`` is None where there is no table."""
        return True

    def misreadings(self, variables: Sequence[str], target: str, constants: Mapping[str, float]) -> Iterator[str]:
        """Warnings that the rule may not say what is meant, for a table with these columns."""
        return iter(())

    @property
    def is_settled_by_claims(self) -> bool:
        """True if :meth:`check` says what its claims do, and nothing else."""
        return type(self).check is Rule.check

    # --- what it is used by -----------------------------------------------------------------------

    def check(self, law: Law, *, points: int = 256, proof: bool = False) -> Verdict:
        """How ``law`` fares: at ``points`` points and, with ``proof``, by interval arithmetic over the whole domain."""
        verdict = combine_verdicts(check_claim(c, d, points=points, proof=False) for c, d in self.claims(law))
        if not proof or verdict.level == REFUTED:
            return verdict
        parts = self.proofs(replace(law, simplified=True))
        if not parts:
            return verdict
        return combine_verdicts(check_claim(c, d, points=points, proof=True, deadline=law.deadline) for c, d in parts)

    def domain(self, law: Law, more: Mapping[str, tuple[float, float]] = NOWHERE) -> Domain:
        """Where the rule must hold: ``law.ranges``, but those of ``where`` and ``more`` for the variables named there."""
        return Domain({**law.ranges, **self.where, **more})

    def box(self, known: Box) -> Box:
        """Where the rule must hold, as far as the domains are ``known``."""
        return {**known, **self.where}

    def common_box(self, other: Rule, known: Box) -> Box | None:
        """Where surely both rules must hold; None where that may be nowhere."""
        return meet(self.box(known), other.box(known))

    def names(self) -> frozenset[str]:
        """The variables that the rule mentions."""
        return frozenset(name for f in fields(self) for name in f.metadata["sort"].names(getattr(self, f.name)))

    def misfits(self, variables: Sequence[str], target: str, constants: Mapping[str, float]) -> Iterator[str]:
        """Those parts of the rule that do not fit a table with these columns: names that are none of them."""
        for name in sorted(self.names().difference(variables)):
            if name == target:
                yield f"{name} is the target; a rule is about the variables"
            elif name in constants:
                yield f"{name} is a constant; a rule is about the variables"
            else:
                yield f"unknown variable {show(name)}; {suggestion(name, tuple(variables), 'the variables are ')}"

    def as_dict(self) -> dict[str, Any]:
        """The table of a knowledge file that reads back as this rule; keys with their default are left out."""
        table: dict[str, Any] = {"kind": self.kind}
        for f in (*_own_keys(type(self)), *fields(Rule)):
            value = getattr(self, f.name)
            if value != _default(f):
                table[f.name] = f.metadata["sort"].write(value)
        return table

    def describe(self, target: str = "f") -> str:
        """The rule in words, such as "T is increasing in L on 0.1 <= L <= 10"."""
        places = [place for name, ends in self.where.items() if (place := in_words(name, *ends))]
        return self.sentence(target) + (f" on {', '.join(places)}" if places else "")

    def __str__(self) -> str:
        return self.describe()

    @classmethod
    def read(cls, table: Mapping[str, Any], problem: ReportProblem) -> Self | None:
        """The rule that a table of a knowledge file states, or None after all its problems went to ``problem``.

        ``problem`` is given the path of the key within the table and a sentence. ``kind`` itself is not looked at.
        """
        rule = object.__new__(cls)
        known = {f.name: f for f in (*_own_keys(cls), *fields(Rule))}
        wrong = False
        for key in table:
            if key != "kind" and key not in known:
                wrong = True
                path = (key,) if isinstance(key, str) else ()
                hint = suggestion(key, tuple(known), "known keys are ")
                problem(path, f"unknown key {show(key)} of the kind {cls.kind}; {hint}")
        for name, f in known.items():
            value = table.get(name, _default(f))
            if value is MISSING:
                wrong = True
                words, example = f.metadata["words"], f.metadata["sort"].example
                problem((), f"the kind {cls.kind} needs {words or 'the key ' + name}; write {name} = {example}")
            object.__setattr__(rule, name, None if value is MISSING else value)
        if not rule._read_keys(problem, not wrong) or wrong:
            return None
        return rule

    def _read_keys(self, problem: ReportProblem, complete: bool = True) -> bool:
        """Puts checked values in place of those given; True if all are right."""
        good = True
        for f in (*_own_keys(type(self)), *fields(Rule)):
            value = getattr(self, f.name)
            if value is None and (_default(f) is None or not complete):
                continue
            checked = f.metadata["sort"].read(value, (f.name,), problem)
            object.__setattr__(self, f.name, checked)
            good &= checked is not None
        if self.tolerance is not None and not self.tolerant:
            problem(("tolerance",), f"the kind {self.kind} has no use for a tolerance; remove it")
            good = False
        if good and complete:
            for key, message in self.inconsistencies():
                problem((key,) if key else (), message)
                good = False
        return good


# --- built-in kinds ---------------------------------------------------------------------------------------------------

_BUILT_IN: dict[str, type[Rule]] = {}


def built_in_kinds() -> Mapping[str, type[Rule]]:
    """The kinds that hypo itself offers, by name. :mod:`hypo.knowledge.rules.built_in` imports all of them."""
    return MappingProxyType(_BUILT_IN)


def order_kinds(modules: Sequence[str]) -> None:
    """Lists the built-in kinds in the order of the ``modules`` that define them, and of the classes within each."""
    rank = {name: i for i, name in enumerate(modules)}
    ordered = sorted(_BUILT_IN.items(), key=lambda entry: rank[entry[1].__module__])
    _BUILT_IN.clear()
    _BUILT_IN.update(ordered)


def _register(cls: type[Rule]) -> None:
    if cls.kind in _BUILT_IN:
        first = _class_name(_BUILT_IN[cls.kind])
        raise TypeError(f"the rule kind {cls.kind!r} has two classes: {first} and {_class_name(cls)}")
    _BUILT_IN[cls.kind] = cls


def _is_own(cls: type) -> bool:
    return cls.__module__.startswith("hypo.knowledge.")


def _class_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _guard(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a kind that is not ours: whatever it raises, or returns by mistake, becomes a KnowledgeError."""
    name = method.__name__

    @wraps(method)
    def guarded(self: Rule, *args: Any, **options: Any) -> Any:
        place = f"the rule kind {self.kind} ({_class_name(type(self))})"
        try:
            found = method(self, *args, **options)
            found = list(found) if name in _LISTS and isinstance(found, Iterable) else found
        except KnowledgeError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise KnowledgeError(
                f"{place} failed in {name}: {type(error).__name__}{': ' * bool(reason)}{reason}"
            ) from error
        wrong = _wrong_result(name, found)
        if wrong:
            raise KnowledgeError(f"{place} must return {wrong} from {name}")
        return found

    return guarded


_LISTS = ("claims", "proofs", "allowed_values")
"""Those of them that return several things."""


def _wrong_result(name: str, found: Any) -> str:
    """The result expected instead, if the result of the method is not that."""
    if name == "check":
        return "" if isinstance(found, Verdict) else f"a Verdict, got {show(found)},"
    if name == "check_rows":
        return "" if found is None or isinstance(found, RowBreach | str) else f"a RowBreach, got {show(found)},"
    if name in ("conflict", "narrowing"):
        return "" if found is None or isinstance(found, str) else f"a sentence or None, got {show(found)},"
    if name == "allowed_values":
        right = isinstance(found, list) and all(isinstance(values, AllowedValues) for values in found)
        return "" if right else f"AllowedValues, got {show(found)},"
    if not isinstance(found, list):
        return f"a list of pairs (claim, domain), got {show(found)},"
    if not found and name == "claims":
        return "at least one pair (claim, domain), got an empty list,"
    for pair in found:
        if not (
            isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], Claim) and isinstance(pair[1], Domain)
        ):
            return f"a list of pairs (claim, domain), got one with {show(pair)},"
    return ""


def in_words(name: str, low: float, high: float) -> str:
    """``0.1 <= L <= 10``, ``L >= 0.1``, or nothing for all numbers."""
    if low == high:
        return f"{name} = {low:g}"
    if math.isinf(low):
        return "" if math.isinf(high) else f"{name} <= {high:g}"
    return f"{name} >= {low:g}" if math.isinf(high) else f"{low:g} <= {name} <= {high:g}"


def _own_keys(cls: type[Rule]) -> tuple[Field[Any], ...]:
    common = {f.name for f in fields(Rule)}
    return tuple(f for f in fields(cls) if f.name not in common)


def _default(f: Field[Any]) -> Any:
    return f.default if f.default_factory is MISSING else f.default_factory()


def _place(kind: str, path: tuple[str | int, ...]) -> str:
    return " ".join([f"rule {kind}", ".".join(bare(key) for key in path if isinstance(key, str))]).strip()


def _plainly(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(map(_plainly, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_plainly(v)}" for name, v in value.items())
    return str(value)
