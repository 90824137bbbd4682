"""Events: statements on the target of a row, such as ``2 < y <= 3*x`` or ``y < 1 or y > 4``, and their probabilities.

The language is that of first-order rules (:mod:`hypo.knowledge.logic.parser`) without quantifiers, integrals and the law at
other arguments: comparisons joined by ``and``, ``or``, ``not``, ``implies``, ``iff``. A comparison has the target alone on one
side, or only columns and numbers on both. In one row the event is then a union of intervals and points of y: with the
thresholds t_1 ≤ … ≤ t_m that y is compared with, its truth is one on each open interval between neighbours and at each t_k.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from hypo.errors import FormulaError, InputError
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.knowledge.logic import syntax
from hypo.knowledge.logic.names import Names
from hypo.knowledge.logic.parser import StatementReader
from hypo.knowledge.logic.syntax import Chain, LogicTerm, Statement

# What a comparison says of y against a threshold below it, at it, and above it.
_TRUTH = {
    "<": (False, False, True),
    "<=": (False, True, True),
    ">": (True, False, False),
    ">=": (True, True, False),
    "=": (False, True, False),
    "!=": (True, False, True),
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_COMPARE: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
    "!=": np.not_equal,
}

Cdf = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Event:
    """A statement on the target: ``comparisons`` are (threshold, relation) of ``y relation threshold`` in order of appearance,
    ``conditions`` the comparisons without the target; ``variables`` are the columns that it uses."""

    statement: Statement
    text: str = field(compare=False)
    target: str

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the columns in the event, in order of appearance."""
        found: dict[str, None] = {}
        for _, term in self._links():
            found.update(dict.fromkeys(name for name in term.expression.variables if not name.startswith("#")))
        return tuple(found)

    def regions(self, X: NDArray[np.float64], columns: Sequence[str], scale: float = 1.0) -> Regions:
        """Where y must lie in each of the rows ``X`` (n_var, n_row), in the units of the event; ``scale`` is the factor from
        there to the unit of y in the formulas."""
        n = X.shape[1]
        thresholds: dict[LogicTerm, int] = {}
        for a, b in _pairs(self.statement):
            for one, other in ((a, b), (b, a)):
                if _is_target(one):
                    thresholds.setdefault(other, len(thresholds))
        values = np.array([_values(t.expression, X, columns) for t in thresholds])
        order = np.sort(values, axis=0)
        m = len(values)
        below = np.concatenate([np.full((1, n), -np.inf), order])
        # Truth on the open intervals 0 … m, then at the points; y is compared with a threshold by where that lies.
        undefined = np.isnan(values).any(axis=0)

        def compared(a: LogicTerm, relation: str, b: LogicTerm) -> NDArray[np.bool_]:
            nonlocal undefined
            if _is_target(b):
                a, relation, b = b, _MIRRORED[relation], a
            if not _is_target(a):
                left, right = (_values(t.expression, X, columns) for t in (a, b))
                undefined = undefined | np.isnan(left) | np.isnan(right)
                return np.broadcast_to(_COMPARE[relation](left, right), (2 * m + 1, n))
            t = values[thresholds[b]]
            over, at, under = _TRUTH[relation]
            intervals = np.where(t <= below, over, under)
            points = np.where(order > t, over, np.where(order == t, at, under))
            return np.concatenate([intervals, points])

        true = _truth(self.statement, compared)
        inside, at = true[: m + 1], true[m + 1 :]
        # Between equal thresholds there is nothing but their point.
        inside[1:m] = np.where(order[1:] == order[:-1], at[:-1], inside[1:m])
        return Regions(order * scale, inside, at, undefined)

    def _links(self) -> list[tuple[str, LogicTerm]]:
        return [("", t) for pair in _pairs(self.statement) for t in pair]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Regions:
    """Unions of intervals of the target, one for each row: of the open intervals between the rising ``points`` (m, n_row) those
    that are ``inside`` (m + 1, n_row), and the points that are (``at``). No statement is made on rows that are ``undefined``
    (n_row,)."""

    points: NDArray[np.float64]
    inside: NDArray[np.bool_]
    at: NDArray[np.bool_]
    undefined: NDArray[np.bool_]

    def rows(self, chosen: slice) -> Regions:
        """The same for some rows."""
        return Regions(*(np.ascontiguousarray(getattr(self, name)[..., chosen]) for name in self.__dataclass_fields__))

    def probability(self, cdf: Cdf, shape: tuple[int, ...], discrete: bool = False) -> NDArray[np.float64]:
        """P(y in the region) for the distribution function ``cdf``, which maps thresholds (n_row,) to an array of ``shape``
        (…, n_row): with F(t⁻) just below t it is 1 if all beyond the last point is inside, plus

            Σ_k F(t_k⁻)·(inside_k - at_k) + F(t_k)·(at_k - inside_{k+1}).

        F(t⁻) is F(t) unless ``discrete``."""
        total = np.zeros(shape) + self.inside[-1]
        inside, at = self.inside.astype(np.float64), self.at.astype(np.float64)
        for k, t in enumerate(self.points):
            if not discrete:
                parts = [(t, inside[k] - inside[k + 1])]
            else:
                parts = [(np.nextafter(t, -np.inf), inside[k] - at[k]), (t, at[k] - inside[k + 1])]
            for threshold, factor in parts:
                if factor.any():
                    total += factor * cdf(threshold)
        return np.asarray(np.clip(total, 0.0, 1.0))


def parse_event(
    text: str, *, variables: Sequence[str], target: str, constants: Mapping[str, float] | None = None
) -> Event:
    """The event written in ``text`` about ``target``, with the columns ``variables`` and named ``constants``.

    Raises FormulaError, whose message marks the place and says what was expected, and InputError for an event that does not
    name the target.
    """
    if not isinstance(text, str):
        raise InputError(f'an event must be text, such as "{target} > 5", got {type(text).__name__}')
    names = Names(tuple(variables), target, dict(constants or {}))
    try:
        statement = _EventReader(text, names).read()
    except FormulaError as error:
        raise FormulaError(_reworded(str(error))) from None
    if not any(_is_target(t) for pair in _pairs(statement) for t in pair):
        raise InputError(f'the event "{text.strip()}" says nothing of the target; name {target}, as in "{target} > 5"')
    return Event(statement, " ".join(text.split()), target)


class _EventReader(StatementReader):
    """The reader of rules, without what an event cannot hold."""

    def read_comparison(self, left: syntax.Draft) -> Statement:
        at = self.token.at
        chain = super().read_comparison(left)
        assert isinstance(chain, Chain) and self.names is not None
        name = self.names.target
        for a, b in _pairs(chain):
            alone = [_is_target(t) for t in (a, b)]
            if all(alone):
                self.fail(at, f"{name} is compared with itself")
            if any(t.parts and not own for t, own in zip((a, b), alone, strict=True)):
                self.fail(
                    at, f"expected {name} alone on one side of the comparison and columns or numbers on the other"
                )
        return chain

    def read_law(self, name: str, at: int) -> syntax.Draft:
        if self.ahead().text == "(":
            self.fail(at + len(name), f"an event is about {name} in the row itself, so {name} has no arguments")
        return super().read_law(name, at)

    def read_quantified(self, word: str) -> NoReturn:
        self.fail(self.tokens[self.position - 1].at, f"an event has no quantifiers, but found {word!r}")

    def read_integral(self, at: int) -> NoReturn:
        self.fail(at, "an event has no integrals")

    def read_derivative(self, name: str, at: int) -> NoReturn:
        self.fail(at, "an event has no derivatives")


def _reworded(message: str) -> str:
    first, newline, rest = message.partition("\n")
    return first.replace("the rule", "the event") + newline + rest


def _is_target(term: LogicTerm) -> bool:
    return len(term.expression) == 1 and len(term.parts) == 1


def _pairs(statement: Statement) -> list[tuple[LogicTerm, LogicTerm]]:
    """Neighbours in all comparisons."""
    if isinstance(statement, Chain):
        terms = [statement.first, *(t for _, t in statement.links)]
        return list(pairwise(terms))
    return [pair for part in syntax.operands(statement) for pair in _pairs(part)]


def _values(e: Expression, X: NDArray[np.float64], columns: Sequence[str]) -> NDArray[np.float64]:
    """Values (n_row,) of ``e``, NaN where it is not finite."""
    with np.errstate(all="ignore"):
        values = Program.of(e, columns).value(X)
    return np.where(np.isfinite(values), values, np.nan)


def _truth(
    statement: Statement, compared: Callable[[LogicTerm, str, LogicTerm], NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Truth of ``statement`` everywhere, from that of its comparisons."""
    if isinstance(statement, Chain):
        terms = [statement.first, *(t for _, t in statement.links)]
        found = [compared(a, r, b) for a, b, (r, _) in zip(terms, terms[1:], statement.links, strict=False)]
        return np.array(reduce(np.logical_and, found))
    parts = [_truth(part, compared) for part in syntax.operands(statement)]
    if isinstance(statement, syntax.Negation):
        return ~parts[0]
    if isinstance(statement, syntax.Conjunction):
        return np.array(reduce(np.logical_and, parts))
    if isinstance(statement, syntax.Disjunction):
        return np.array(reduce(np.logical_or, parts))
    if isinstance(statement, syntax.Implication):
        return ~parts[0] | parts[1]
    return np.asarray(parts[0] == parts[1])
