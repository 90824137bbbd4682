"""How right-hand sides of a system are spelled: the choices that lead to them, each with the context in which it is made.

1. An equation says that another state is the rate (``dx/dt = v``), or is an earlier one with states exchanged, or has a number
   of terms. It has a term in its own state alone (a loss, a growth) or none, a constant or none; its other terms are a set.
2. A term stands in an earlier equation, too (with the same or the other sign, the same number or another one), or is new.
3. A new one has a pattern, the powers of the equation's own state and of others: ``o`` is the own state, ``oo|1`` its square
   times another one, ``|2`` the square of another one. Or it is special: beside a pattern there are functions, divisors, roots.
4. A special factor has a kind; those with something within them have terms there, which are spelled alike.
5. Numbers are fitted or exact, or one is that of another term of the equation, as in ``k*(x - y)``; terms of a kind are losses
   or gains.

Names of others are drawn from all columns alike. How often textbooks choose what is counted in
:mod:`hypo.dynamics.discovery.prior.textbook`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import permutations

from hypo.dynamics.discovery.sums import ONE, Factor, Number, Sum, SumTerm, walk_terms
from hypo.expression import operators as ops
from hypo.expression.expr import Constant
from hypo.scoring.code_length import literal_cost

# Chances where nothing was counted: of one more term, or of one more factor.
MORE = 0.5
# Of a constant among terms.
CONSTANT = 0.12
# Of something special among terms.
SPECIAL = 0.2
# Of something special within a function.
NESTED = 0.05
# Of special factors by kind.
KINDS = {
    "divisor": 0.2,
    "bracket": 0.2,
    "exp": 0.06,
    "sin": 0.06,
    "cos": 0.06,
    "tanh": 0.04,
    "log": 0.04,
    "abs": 0.04,
    "root": 0.03,
}
# Of broken powers.
POWERS = {-1.0: 0.05, -2.0: 0.03, 0.5: 0.05, -0.5: 0.01, 1.5: 0.01, 2.0 / 3.0: 0.01, 0.75: 0.01, 1.0 / 3.0: 0.01}
# Of any other kind, and any other power.
OTHER_KIND = 0.004
# Of a fitted power.
FITTED_POWER = 0.04
# Of a function to a power beyond the first, as a share of the function's.
RAISED = 0.05
# Of the exact number one.
EXACTLY_ONE = 0.15
# Of another exact number.
EXACTLY = 0.03
# Of an equation that says no more than that another state is the rate.
KINEMATIC = 0.2
# Of one that is an earlier one with states exchanged.
EXCHANGED = 0.2
# States other than its own that such an equation has at most.
MOST_EXCHANGED = 4
# Of a fitted number that is that of a certain other term of its equation.
TIED = 0.1
# Numbers that agree so nearly, as a share, are one.
ALIKE = 1e-12


@dataclass(frozen=True)
class Choice:
    """One choice.

    Attributes:
        context: in which it is made.
        symbol: that is chosen.
        base: chance of the symbol where nothing was counted.
        nats: of what is chosen beside it among alternatives that are all alike, such as names.
    """

    context: str
    symbol: str
    base: float = 0.5
    nats: float = 0.0


@dataclass
class Seen:
    """Memory of the earlier equations of a system.

    Attributes:
        terms: by form, with their coefficients.
        factors: forms of special factors.
        equations: number of them.
        is_kinematic: True once one of them says no more than that another state is the rate.
        has_shared: True once a term stood in two.
        equal: fitted coefficients that were the numbers of earlier ones, of this equation or of others.
        sums: the equations, but for those that are kinematic, with the names of their states.
    """

    terms: dict[str, Number] = field(default_factory=dict)
    factors: set[str] = field(default_factory=set)
    equations: int = 0
    is_kinematic: bool = False
    has_shared: bool = False
    equal: int = 0
    sums: tuple[tuple[str, Sum], ...] = ()

    def copy(self) -> Seen:
        """An independent copy."""
        return replace(self, terms=dict(self.terms), factors=set(self.factors))


def choices(s: Sum, own: str, d: int, seen: Seen) -> Iterator[Choice]:
    """The choices that spell a right-hand side; ``seen`` takes its terms.

    Args:
        s: the right-hand side.
        own: name of the state whose rate it is.
        d: number of columns.
        seen: of earlier equations.
    """
    k = max(len(s.terms), 1)
    if d > 1:
        is_kinematic = len(s.terms) == 1 and s.terms[0].coefficient == ONE and _class(s.terms[0], own) == "other line"
        when = "first" if not seen.equations else "after one" if seen.is_kinematic else "after none"
        names = math.log(d - 1) if is_kinematic else 0.0
        yield Choice(f"kinematic {when}", str(is_kinematic), KINEMATIC if is_kinematic else 1.0 - KINEMATIC, names)
        if is_kinematic:
            seen.is_kinematic, seen.equations = True, seen.equations + 1
            return
    found = _exchanged(s, own, seen.sums)
    if seen.sums:
        names = 0.0 if found is None else math.log(len(seen.sums) * math.perm(d - 1, len(found[1]) - 1))
        yield Choice("exchanged", str(found is not None), EXCHANGED if found else 1.0 - EXCHANGED, names)
    if found is None:
        yield Choice("later terms" if seen.equations else "terms", str(k), MORE**k)
        yield from _members(s, own, d, seen)
    else:
        yield from _numbers_exchanged(s, *found, seen)
    seen.sums = (*seen.sums, (own, s))
    seen.terms |= {t.form: t.coefficient for t in s.terms if t.factors}
    seen.equations += 1


def _exchanged(s: Sum, own: str, earlier: tuple[tuple[str, Sum], ...]) -> tuple[Sum, dict[str, str]] | None:
    """An earlier equation that is this one with states exchanged, and their new names; None where there is none."""
    now = _variables(s)
    form = _renamed(s, {v: v for v in now})
    others = sorted(now - {own})
    for old_own, old in earlier:
        before = _variables(old)
        old_others = sorted(before - {old_own})
        same_size = len(others) == len(old_others) <= MOST_EXCHANGED and len(s.terms) == len(old.terms)
        if not same_size or (own in now) != (old_own in before):
            continue
        for order in permutations(others):
            names = {old_own: own, **dict(zip(old_others, order, strict=True))}
            if _renamed(old, names) == form:
                return old, names
    return None


def _numbers_exchanged(s: Sum, old: Sum, names: dict[str, str], seen: Seen) -> Iterator[Choice]:
    """Coefficients of an equation that is an earlier one with states exchanged."""
    before = {_renamed_term(t, names): t.coefficient for t in old.terms}
    for t in s.terms:
        c, was = t.coefficient, before[_renamed_term(t, {})]
        is_same_sign = (c.value > 0) == (was.value > 0)
        yield Choice("sign exchanged", str(is_same_sign), 0.5, -math.log(2.0) if c.is_free else 0.0)
        if c.is_free:
            is_equal = _is_equal(c, was)
            yield Choice("equal exchanged", str(is_equal))
            seen.equal += is_equal


def _variables(s: Sum) -> set[str]:
    return {f.name for t in walk_terms(s) for f in t.factors if f.name}


def _renamed(s: Sum, names: Mapping[str, str], inner: bool = False) -> str:
    """Text of a sum with other names, fitted numbers left open; signs of its own coefficients, too."""
    return " + ".join(sorted(_coefficient(t.coefficient, inner) + _renamed_term(t, names) for t in s.terms))


def _coefficient(c: Number, inner: bool) -> str:
    return "" if c.is_free else f"{c.value if inner else abs(c.value):.9g}*"


def _renamed_term(t: SumTerm, names: Mapping[str, str]) -> str:
    return "*".join(sorted(_renamed_factor(f, names) for f in t.factors))


def _renamed_factor(f: Factor, names: Mapping[str, str]) -> str:
    base = names.get(f.name, f.name) or f"{f.opcode}({','.join(_renamed(a, names, True) for a in f.args)})"
    return f"{base}^{f.power.form}"


def _is_equal(c: Number, old: Number) -> bool:
    return c.is_free == old.is_free and abs(abs(c.value) - abs(old.value)) <= ALIKE * abs(old.value)


def _members(s: Sum, own: str, d: int, seen: Seen) -> Iterator[Choice]:
    """The terms of an equation that has so many."""
    k = max(len(s.terms), 1)
    before = dict(seen.terms)
    line = [t for t in s.terms if _class(t, own) == "own line"]
    constant = [t for t in s.terms if not t.factors]
    size = str(k) if k < 3 else "more"
    yield Choice(f"own line of {size}", str(bool(line)))
    if not (line and k == 1):
        yield Choice(f"constant of {size}", str(bool(constant)))
    rest = [t for t in s.terms if t not in line and t not in constant]
    for n, t in enumerate(rest, 1):
        again = t.form in before
        # A set of terms: their order does not matter.
        order = -math.log(n)
        if before:
            names = math.log(len(before)) if again else 0.0
            yield Choice("again after one" if seen.has_shared else "again", str(again), 0.5, names + order)
            order = 0.0
            seen.has_shared = seen.has_shared or again
        if not again:
            yield from _new_term(t, own, d, seen, order)
    earlier: list[tuple[str, Number]] = []
    for t in s.terms:
        c, kind = t.coefficient, _class(t, own)
        if t.factors and t.form in before:
            yield from _as_before(c, before[t.form], seen)
        else:
            is_tied = False
            for other, number in earlier if c.is_free else ():
                is_tied = _is_equal(c, number)
                pair = " and ".join(sorted((kind, other)))
                yield Choice(f"tied {pair}", str(is_tied), TIED if is_tied else 1.0 - TIED)
                if is_tied:
                    break
            seen.equal += is_tied
            if not is_tied:
                yield _number(f"number {kind}", c)
            # The prior of a fitted number has both signs.
            both = -math.log(2.0) if c.is_free and not is_tied else 0.0
            yield Choice(f"sign {kind}", str(c.value > 0), 0.5, both)
        if c.is_free:
            earlier.append((kind, c))


def _as_before(c: Number, old: Number, seen: Seen) -> Iterator[Choice]:
    """A coefficient of a term that stood before."""
    is_opposite = (c.value > 0) != (old.value > 0)
    yield Choice("opposite", str(is_opposite), 0.5, -math.log(2.0) if c.is_free else 0.0)
    is_equal = _is_equal(c, old)
    yield Choice(f"equal {is_opposite}", str(is_equal))
    if not is_equal:
        yield _number("number again", c)
    seen.equal += is_equal and c.is_free


def _class(t: SumTerm, own: str) -> str:
    """The kind of a term, by which its number and sign are counted."""
    if not t.factors:
        return "constant"
    f = t.factors[0]
    has_own = any(f.name == own for f in t.factors)
    if len(t.factors) == 1 and f.name and f.power == ONE:
        return "own line" if has_own else "other line"
    if not all(is_plain(f) for f in t.factors):
        return "special with own" if has_own else "special"
    if len(t.factors) == 1 and has_own:
        return "own power"
    return "product with own" if has_own else "product"


def _number(context: str, c: Number) -> Choice:
    if c.is_free:
        return Choice(context, "fitted", 1.0 - EXACTLY_ONE - EXACTLY)
    if abs(c.value) == 1.0:
        return Choice(context, "1", EXACTLY_ONE)
    return Choice(context, "exact", EXACTLY, literal_cost(Constant(abs(c.value))))


def is_plain(f: Factor) -> bool:
    """True for a whole power of a variable."""
    return bool(f.name) and not f.power.is_free and f.power.value > 0 and f.power.value == round(f.power.value)


def _new_term(t: SumTerm, own: str, d: int, seen: Seen, order: float) -> Iterator[Choice]:
    special = [f for f in t.factors if not is_plain(f)]
    plain = [f for f in t.factors if is_plain(f)]
    # Where there is one column, no patterns of others compete.
    context = "term" if d > 1 else "term of one"
    if not special:
        yield _pattern(context, plain, own, d, 1.0 - CONSTANT - SPECIAL, order)
        return
    yield Choice(context, "special", SPECIAL, order)
    n = len(special)
    yield Choice("special", str(n), MORE**n, -math.lgamma(n + 1))
    below = {u.form for f in special if _is_divisor(f) for v in f.args[0].terms for u in v.factors}
    if any(_is_divisor(f) for f in special):
        # A factor that the divisor has, too: K + x below and x above.
        both = [f for f in plain if f.form in below]
        yield Choice("above and below", str(bool(both)))
        plain = [f for f in plain if f not in both[:1]]
    yield _pattern("beside", plain, own, d, 1.0 - CONSTANT)
    for f in special:
        is_known = f.form in seen.factors
        if seen.factors:
            yield Choice("factor again", str(is_known), 0.5, math.log(len(seen.factors)) if is_known else 0.0)
        if not is_known:
            yield from _special(f, own, d)
    seen.factors.update(f.form for f in special)


def _is_divisor(f: Factor) -> bool:
    return not f.name and not f.opcode and f.power == Number(-1.0)


def _pattern(context: str, plain: Iterable[Factor], own: str, d: int, share: float, order: float = 0.0) -> Choice:
    """The powers of the own state and of others, with the names of these."""
    powers = Counter({f.name: int(f.power.value) for f in plain})
    mine = powers.pop(own, 0)
    others = tuple(sorted(powers.values(), reverse=True))
    if not mine and not others:
        return Choice(context, "1", CONSTANT, order)
    symbol = "o" * mine + ("|" + "".join(map(str, others)) if others else "")
    degree = mine + sum(others)
    alike = math.prod(math.factorial(n) for n in Counter(others).values())
    names = math.perm(max(d - 1, len(others)), len(others)) / alike
    base = share * MORE**degree / _patterns(degree, max(d - 1, len(others)))
    return Choice(context, symbol, base, math.log(names) + order)


@cache
def _patterns(degree: int, others: int) -> int:
    """Number of patterns of a degree, with at most so many other columns in them."""
    return sum(_partitions(left, left, others) for left in range(degree + 1))


def _partitions(n: int, largest: int, parts: int) -> int:
    if n == 0:
        return 1
    return sum(_partitions(n - p, p, parts - 1) for p in range(1, min(n, largest) + 1)) if parts > 0 else 0


def _special(f: Factor, own: str, d: int) -> Iterator[Choice]:
    """A factor that is no whole power of a variable."""
    p = f.power
    if f.name:
        yield Choice("kind", "power", FITTED_POWER) if p.is_free else _broken(p.value)
        is_own = f.name == own
        yield Choice("whose", str(is_own), 0.5, 0.0 if is_own else math.log(max(d - 1, 1)))
        return
    if f.opcode:
        name = ops.BY_OPCODE[f.opcode].name
        base = KINDS.get(name, OTHER_KIND)
        yield Choice("kind", name, base) if p == ONE else Choice("kind", f"{name}^{p.form}", base * RAISED)
    else:
        name = "divisor" if p.value < 0 and not p.is_free else "sum"
        whole = {-1.0: "divisor", 1.0: "bracket", 0.5: "root"}
        kind = f"sum^{p.form}" if p.is_free else whole.get(p.value, f"sum^{p.form}")
        yield Choice("kind", kind, KINDS.get(kind, OTHER_KIND))
    for a in f.args:
        yield from _inner(a, name, own, d)


def _broken(value: float) -> Choice:
    known = next((power for power in POWERS if abs(power - value) < 1e-6), None)
    if known is None:
        return Choice("kind", "other power", OTHER_KIND, literal_cost(Constant(abs(value))))
    return Choice("kind", f"^{known:.3g}", POWERS[known])


def _inner(s: Sum, name: str, own: str, d: int) -> Iterator[Choice]:
    """A sum within a function, a divisor or a root."""
    known = {"sin": "wave", "cos": "wave", "exp": "exp", "tanh": "tanh", "divisor": "divisor", "sum": "sum"}
    kind = known.get(name, "function")
    k = max(len(s.terms), 1)
    yield Choice(f"terms in {kind}", str(k), MORE**k, -math.lgamma(k + 1))
    # The number of the first term of a divisor stands in front of it.
    is_scaled = kind in ("divisor", "sum")
    leader = next((t for t in s.terms if is_scaled and t.factors and t.coefficient == ONE), None)
    for t in s.terms:
        special = [f for f in t.factors if not is_plain(f)]
        plain = [f for f in t.factors if is_plain(f)]
        if special:
            yield Choice(f"in {kind}", "special", NESTED)
            for f in special:
                yield from _special(f, own, d)
            yield _pattern("within", plain, own, d, 1.0 - CONSTANT)
        else:
            yield _pattern(f"in {kind}", plain, own, d, 1.0 - CONSTANT - NESTED)
        if t is not leader:
            yield _number(f"number in {kind}", t.coefficient)
