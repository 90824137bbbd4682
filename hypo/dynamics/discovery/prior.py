"""The prior for rate laws: code lengths in nats of right-hand sides, counted from textbooks.

The counts are those of ``textbook.toml``: 132 equations of 71 systems that stand in no benchmark, multiplied out
(:mod:`hypo.dynamics.discovery.sums`). They have 273 terms and 317 factors:

    terms of an equation      1: 29   2: 68   3: 32   4: 3
    factors of a term         0: 38   1: 170  2: 52   3: 9   4: 4        (x²·y has three)
    kinds of factor           variable 270, 1/sum 18, exp 5, sqrt 4, sin or cos 5, 1/x 3, tanh 3, fitted power 3, 1/x² 2, …
    sums below                with a factor that stands above, too: 12, without: 6
    numbers within functions  exp and tanh: always; sin, cos and log: never
    exact coefficients        about one in ten, all but two ±1

A form costs minus the logarithm of its share, kinds that were never met what half a count would give or more. An equation is a
set of terms and a term a set of factors, each drawn from the table, each variable from d columns:

    L = -log P(k terms) - log k! + Σ_terms [ -log P(m factors) - log(m!/Π m_i!) + Σ_factors (-log P(kind) + log d + argument) ]

The cheaper of the form multiplied out and the form as written counts, so that r·x·(1 - x/K) costs what a·x - b·x² does. A
factor, or a term, that the system had before is named by its place there. Numbers that are fitted cost ½ log n each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hypo.dynamics.discovery.sums import ONE, Factor, Number, Sum, SumTerm, as_sum
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc
from hypo.scoring.code_length import literal_cost

# -log P of the number of terms, from 1 on; each further one costs as much as the last step.
TERMS = (1.5, 0.7, 1.4, 3.2, 4.6)
# -log P of the number of factors of a term, from 0 on.
FACTORS = (2.0, 0.5, 1.7, 3.4, 4.2)
# Of each further factor beyond the table.
MORE_FACTORS = 1.2
# -log P of kinds of factor.
VARIABLE = 0.16
KINDS = {oc.EXP: 4.1, oc.SIN: 4.4, oc.COS: 4.6, oc.TANH: 4.6, oc.LOG: 5.0, oc.ABS: 5.0}
OTHER_KIND = 7.0
# A sum as a divisor; to powers other than -1 on top; to a fitted or broken one instead.
DIVISOR = 2.9
OTHER_POWER = 2.0
# A function to a whole power, and to another one: never met.
SQUARED_FUNCTION = 4.5
POWER_OF_FUNCTION = 8.0
ROOT_OF_SUM = 6.5
# Of 18 divisors 12 have a factor that stands above, too (x/(K + x)), 6 have not.
ABOVE_AND_BELOW = 0.4
ABOVE_ALONE = 1.1
# A sum as a factor of a form as written; a whole power of one, which was never met.
BRACKET = 1.5
BRACKET_POWER = 6.5
# Powers of a variable by exponent, others, and fitted ones.
POWERS = {-1.0: 4.5, -2.0: 5.0, 0.5: 4.4, 2.0 / 3.0: 5.2, 0.75: 5.2, 1.0 / 3.0: 5.8, -0.5: 5.8, 1.5: 5.8}
OTHER_EXPONENT = 6.5
FITTED_EXPONENT = 5.5
# A number within sin, cos, log or abs, which have none in textbooks; none within exp or tanh, which have one.
UNUSUAL_NUMBER = 2.5
NO_NUMBER = 1.0
# A further term within a function or a divisor beyond what is usual; a product or power within a function, which was never met
# (1/x was); a function within a function.
FURTHER_INSIDE = 2.0
CURVED_INSIDE = 3.0
NESTED = 3.5
# A divisor without a constant: x/(x + y).
NO_CONSTANT = 1.6
# An exact coefficient: ±1, another one (2 of 273 terms) beside the number itself; and a fitted one.
EXACT = 2.3
EXACT_OTHER = 4.9
FITTED = 0.1
# Naming a factor or a term that was there before, beside log of their number.
AGAIN = 1.0
# Rows that make ½ log n where nobody says how many there are.
ROWS = 100

_BARE = {oc.SIN, oc.COS, oc.LOG, oc.ABS}


def code_length(e: Expression, n_column: int | None = None, rows: float = ROWS) -> float:
    """Code length in nats of one right-hand side: its structure, and ½ log n for each fitted number.

    Args:
        e: the right-hand side, fitted numbers free.
        n_column: columns that it might have used; None: those that it uses.
        rows: n, independent rows.
    """
    return system_code_length([e], n_column, rows)


def costs_of_terms(
    forms: Sequence[str], terms: Sequence[Expression], n_column: int, rows: float = ROWS
) -> dict[str, float]:
    """Code lengths of terms with a fitted coefficient, by form; terms of one form cost the same."""
    out: dict[str, float] = {}
    for form, e in zip(forms, terms, strict=True):
        if form not in out:
            number = Expression.constant(1.0, free=True)
            out[form] = code_length(number * e if e.variables else number, n_column, rows)
    return out


def system_code_length(equations: Iterable[Expression], n_column: int | None = None, rows: float = ROWS) -> float:
    """Code length of the right-hand sides of a system; terms that stand in several are spelled once."""
    structure, count = system_structure(equations, n_column, rows)
    return structure + count * 0.5 * math.log(max(rows, 2.0))


def system_structure(
    equations: Iterable[Expression], n_column: int | None = None, rows: float = ROWS
) -> tuple[float, int]:
    """Nats of the structure of a system, and the number of its fitted numbers, which are charged apart."""
    equations = tuple(equations)
    d = n_column or max(1, len({v for e in equations for v in e.variables}))
    seen = _Seen()
    total, count = 0.0, 0
    for e in equations:
        cost, numbers = _cheaper(e, max(d, 1), seen, rows)
        total += cost
        count += numbers
    return total, count


class _Seen:
    """Terms and special factors of a system so far."""

    def __init__(self) -> None:
        self.terms: set[str] = set()
        self.factors: set[str] = set()

    def copy(self) -> _Seen:
        out = _Seen()
        out.terms, out.factors = set(self.terms), set(self.factors)
        return out


def _cheaper(e: Expression, d: int, seen: _Seen, rows: float) -> tuple[float, int]:
    """The cheaper spelling's cost and fitted numbers; ``seen`` takes its terms."""
    half_log = 0.5 * math.log(max(rows, 2.0))
    options = []
    for distribute in (True, False):
        s = as_sum(e, distribute)
        after = seen.copy()
        numbers = min(s.n_free, len(e.free))
        options.append((_sum_cost(s, d, after), numbers, after))
    cost, numbers, after = min(options, key=lambda o: o[0] + half_log * o[1])
    seen.terms, seen.factors = after.terms, after.factors
    return cost, numbers


def _sum_cost(s: Sum, d: int, seen: _Seen) -> float:
    k = len(s.terms)
    if not k:
        return TERMS[0]
    before = set(seen.terms)
    total = _at(TERMS, k - 1, TERMS[-1] - TERMS[-2]) - math.lgamma(k + 1)
    for t in s.terms:
        new = _term_cost(t, d, seen)
        total += _coefficient_cost(t.coefficient)
        is_known = bool(t.factors) and t.form in before
        total += min(new, math.log(len(before)) + AGAIN) if is_known else new
        seen.terms.add(t.form)
    return total


def _coefficient_cost(c: Number) -> float:
    if c.is_free:
        return FITTED
    return EXACT if abs(c.value) == 1.0 else EXACT_OTHER + _number_cost(c.value)


def _number_cost(value: float) -> float:
    """The code of an exact number; ±1 costs nothing more."""
    return 0.0 if abs(value) == 1.0 else literal_cost(Constant(abs(value)))


def _at(table: tuple[float, ...], k: int, further: float) -> float:
    return table[k] if k < len(table) else table[-1] + further * (k + 1 - len(table))


def _term_cost(t: SumTerm, d: int, seen: _Seen) -> float:
    """Factors of one term; the coefficient is charged apart."""
    divisors = [f for f in t.factors if not f.name and not f.opcode and f.power == Number(-1.0)]
    below = {u.form for f in divisors for v in f.args[0].terms for u in v.factors}
    total = 0.0
    if divisors:
        # A factor that the divisor has, too: K + x below and x above.
        motif = [f for f in t.factors if f.form in below]
        total += ABOVE_AND_BELOW if motif else ABOVE_ALONE
        t = SumTerm(t.coefficient, tuple(f for f in t.factors if f not in motif[:1]))
    counts = [int(f.power.value) if _is_monomial(f) else 1 for f in t.factors]
    m = sum(counts)
    total += _at(FACTORS, m, MORE_FACTORS) - math.lgamma(m + 1) + sum(math.lgamma(c + 1) for c in counts)
    for f, count in zip(t.factors, counts, strict=True):
        if _is_monomial(f):
            total += count * VARIABLE + (math.log(d) if count == 1 else math.log(d) * min(count, 3))
            continue
        new = _factor_cost(f, d)
        total += min(new, math.log(len(seen.factors)) + AGAIN) if f.form in seen.factors else new
        seen.factors.add(f.form)
    return total


def _is_monomial(f: Factor) -> bool:
    p = f.power
    return bool(f.name) and not p.is_free and p.value > 0 and p.value == round(p.value)


def _factor_cost(f: Factor, d: int) -> float:
    """A factor that is no whole power of a variable."""
    p = f.power
    if f.name:
        if p.is_free:
            return FITTED_EXPONENT + math.log(d)
        near = [cost for power, cost in POWERS.items() if abs(power - p.value) < 1e-6]
        return (near[0] if near else OTHER_EXPONENT) + math.log(d)
    if f.opcode:
        power = 0.0 if p == ONE else SQUARED_FUNCTION if p in (Number(2.0), Number(-1.0)) else POWER_OF_FUNCTION
        return power + KINDS.get(f.opcode, OTHER_KIND) + sum(_argument_cost(a, d, f.opcode) for a in f.args)
    return _sum_power_cost(p) + _inner_cost(f.args[0], d, 1 + (p.value != 1.0))


def _sum_power_cost(p: Number) -> float:
    if p.is_free or p.value != round(p.value):
        return ROOT_OF_SUM + (FITTED_EXPONENT - OTHER_POWER if p.is_free else 0.0)
    if p.value < 0:
        return DIVISOR + (OTHER_POWER if p.value != -1.0 else 0.0)
    return BRACKET if p.value == 1.0 else BRACKET_POWER


def _inner_cost(s: Sum, d: int, usual: int) -> float:
    """A sum within a sum: of a constant and a term, as a rule."""
    has_constant = any(not t.factors for t in s.terms)
    total = 0.0 if has_constant else NO_CONSTANT
    total += FURTHER_INSIDE * max(0, len(s.terms) - max(usual, 2))
    return total + sum(_inner_term_cost(t, d) for t in s.terms)


def _inner_term_cost(t: SumTerm, d: int) -> float:
    number = 0.0 if t.coefficient.is_free else _number_cost(t.coefficient.value)
    if not t.factors:
        return number
    return number + _term_cost(t, d, _Seen()) + (NESTED if any(f.opcode for f in t.factors) else 0.0)


def _argument_cost(s: Sum, d: int, opcode: int) -> float:
    """The argument of a function."""
    total = FURTHER_INSIDE * max(0, len(s.terms) - 1)
    for t in s.terms:
        total += _inner_term_cost(t, d)
        if t.factors:
            f = t.factors[0]
            is_usual = len(t.factors) == 1 and bool(f.name) and f.power in (ONE, Number(-1.0))
            total += 0.0 if is_usual else CURVED_INSIDE
    numbers = sum(t.coefficient.is_free or abs(t.coefficient.value) != 1.0 for t in s.terms)
    if opcode in _BARE:
        return total + UNUSUAL_NUMBER * numbers
    return total + (NO_NUMBER if not numbers else 0.0)
