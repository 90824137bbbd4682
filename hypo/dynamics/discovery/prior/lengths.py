"""The prior for rate laws: code lengths in nats of right-hand sides, as textbooks write them.

A right-hand side is spelled by choices (:mod:`hypo.dynamics.discovery.prior.grammar`), each of which costs minus the logarithm
of its chance; chances are counted in systems of textbooks that stand in no benchmark
(:mod:`hypo.dynamics.discovery.prior.textbook`):

    L = Σ_choices [ -log P(symbol | context) + log(alternatives that are all alike) ].

The cheaper of the form multiplied out and the form as written counts, so that r·x·(1 - x/K) costs what a·x - b·x² does. Numbers
that are fitted cost ½ log n each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hypo.dynamics.discovery.prior.grammar import Seen, choices
from hypo.dynamics.discovery.prior.textbook import counts
from hypo.dynamics.discovery.sums import as_sum
from hypo.expression.expr import Expression

# The factor of columns in degrees in arguments of waves: nobody chose it, so it costs nothing.
DEGREE = math.pi / 180
# Relative difference that counts as rounding.
ROUNDING = 1e-9
# Rows that make ½ log n where nobody says how many there are.
ROWS = 100


@dataclass(frozen=True)
class Structure:
    """Code length of the structure of a system.

    Attributes:
        nats: of the structure.
        numbers: fitted numbers, which are charged apart.
        equal: those among them that are charged as the numbers of terms of earlier equations.
    """

    nats: float
    numbers: int
    equal: int


def code_length(
    e: Expression, own: str | None = None, n_column: int | None = None, rows: float = ROWS, signs: bool = True
) -> float:
    """Code length in nats of one right-hand side: its structure, and ½ log n for each fitted number.

    Args:
        e: the right-hand side, fitted numbers free.
        own: name of the state whose rate it is; None: its first variable.
        n_column: columns that it might have used; None: those that it uses.
        rows: n, independent rows.
        signs: False where the signs of its coefficients are not known.
    """
    found = _structure([e], [own or next(iter(e.variables), "")], n_column, rows, signs)
    return found.nats + (found.numbers - found.equal) * 0.5 * math.log(max(rows, 2.0))


def costs_of_terms(
    forms: Sequence[str], terms: Sequence[Expression], own: str, n_column: int, rows: float = ROWS
) -> dict[str, float]:
    """Code lengths of terms with a fitted coefficient of either sign, by form; terms of one form cost the same. ``own`` is the
    state whose rate they stand in."""
    out: dict[str, float] = {}
    for form, e in zip(forms, terms, strict=True):
        if form not in out:
            number = Expression.constant(1.0, free=True)
            out[form] = code_length(number * e if e.variables else number, own, n_column, rows, signs=False)
    return out


def system_code_length(
    equations: Sequence[Expression], states: Sequence[str], n_column: int | None = None, rows: float = ROWS
) -> float:
    """Code length of the right-hand sides of some states; terms that stand in several are spelled once."""
    found = system_structure(equations, states, n_column, rows)
    return found.nats + (found.numbers - found.equal) * 0.5 * math.log(max(rows, 2.0))


def system_structure(
    equations: Sequence[Expression], states: Sequence[str], n_column: int | None = None, rows: float = ROWS
) -> Structure:
    """Nats of the structure of a system, and its fitted numbers, which are charged apart."""
    return _structure(equations, states, n_column, rows, True)


def _structure(
    equations: Sequence[Expression], states: Sequence[str], n_column: int | None, rows: float, signs: bool
) -> Structure:
    d = max(n_column or len({v for e in equations for v in e.variables}), 1)
    seen = Seen()
    total, numbers = 0.0, 0
    for e, own in zip(equations, states, strict=True):
        cost, count, seen = _cheaper(_in_radians(e), own, d, seen, rows, signs)
        total += cost
        numbers += count
    return Structure(total, numbers, seen.equal)


def _in_radians(e: Expression) -> Expression:
    """``e`` without the exact factor of degrees."""
    is_degree = [not c.free and math.isclose(c.value, DEGREE, rel_tol=ROUNDING) for c in e.constants]
    if not any(is_degree):
        return e
    values = [1.0 if known else c.value for known, c in zip(is_degree, e.constants, strict=True)]
    return e.with_values(values)


def _cheaper(e: Expression, own: str, d: int, seen: Seen, rows: float, signs: bool) -> tuple[float, int, Seen]:
    """The cheaper spelling's cost and fitted numbers, equal ones among them, and what has been seen after it."""
    half_log = 0.5 * math.log(max(rows, 2.0))
    options = []
    for distribute in (True, False):
        s, after = as_sum(e, distribute), seen.copy()
        table = counts(distribute)
        spelled = choices(s, own, d, after)
        cost = sum(table.nats(c) for c in spelled if signs or not c.context.startswith("sign"))
        options.append((cost, s.n_free, after))
    return min(options, key=lambda o: o[0] + half_log * (o[1] - o[2].equal))
