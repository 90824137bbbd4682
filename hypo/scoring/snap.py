"""Snapping: replacing fitted constants by exact numbers where the score improves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.expr import PI, Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.scoring.code_length import fitted_cost, literal_cost
from hypo.scoring.score import Hypothesis, Scorer

# Candidates tried per constant, cheapest first.
TRIES = 3
# Half-width, in standard errors, within which an exact number is tried; as a share of the number, how narrow makes π sure.
REACH, SHARP = 4.0, 4e-3
# Moves tried before a formula is left as it is; constants that move together, two of them where more than FEW are free.
TRIED, JOINT, FEW = 5, 3, 4

# Functions of angles, or whose values are angles.
CIRCULAR = frozenset(row.opcode for row in ops.OPERATORS if row.is_circular)


def _number(value: Fraction) -> Expression:
    top = Expression.constant(value.numerator)
    return top if value.denominator == 1 else top / Expression.constant(value.denominator)


@lru_cache(maxsize=1)
def _table() -> tuple[np.ndarray, tuple[tuple[Fraction, int, bool], ...]]:
    """Values and recipes (rational r, power m, root) of exact numbers r·π^m and sqrt(r·π^m), by value."""
    seen: dict[float, tuple[float, tuple[Fraction, int, bool]]] = {}
    for m in (0, 1, -1, 2, -2, 3, -3):
        tops = range(1, 65) if m in (0, 1, -1) else range(1, 33)
        for p in tops:
            for q in range(1, 33 if m in (0, 1, -1) else 17):
                r = Fraction(p, q)
                if r.numerator != p:
                    continue
                for root in (False, True):
                    if root and (m not in (0, 1, -1) or p > 16 or q > 16):
                        continue
                    value = float(r) * math.pi**m
                    value = math.sqrt(value) if root else value
                    cost = math.log(p) + math.log(q) + 1.5 * abs(m) + (2.0 if root else 0.0)
                    key = float(f"{value:.13g}")
                    if key not in seen or cost < seen[key][0]:
                        seen[key] = (cost, (r, m, root))
    values = np.array(sorted(seen))
    return values, tuple(seen[v][1] for v in values)


def _recipe_cost(recipe: tuple[Fraction, int, bool]) -> float:
    r, m, root = recipe
    return math.log(r.numerator) + 1.5 * math.log(r.denominator) + 1.5 * abs(m) + (2.0 if root else 0.0)


def exact_numbers(value: float, error: float, with_pi: bool = True) -> Iterator[Expression]:
    """Exact numbers within ``error`` of ``value``, simplest first: whole numbers, rationals, multiples and powers of π,
    their square roots; none with π unless ``with_pi``."""
    size = abs(value)
    found: list[tuple[float, Expression]] = []
    whole = round(size)
    if 64 < whole < 1e6 and abs(size - whole) <= error:
        found.append((math.log(whole), Expression.constant(whole)))
    values, recipes = _table()
    lo, hi = np.searchsorted(values, [size - error, size + error])
    near = (k for k in range(lo, hi) if with_pi or not recipes[k][1])
    nearest = sorted(near, key=lambda k: _recipe_cost(recipes[k]))[: TRIES + 2]
    for k in nearest:
        r, m, root = recipes[k]
        e = _number(r)
        if m:
            pi = Expression(((oc.CONST, 0),), (PI,), ())
            power = pi if abs(m) == 1 else Expression.apply("square" if abs(m) == 2 else "cube", pi)
            if m > 0:
                e = power if r == 1 else (power * _number(Fraction(r.numerator)))
                e = e if r.denominator == 1 else e / Expression.constant(r.denominator)
            else:
                bottom = power if r.denominator == 1 else Expression.constant(r.denominator) * power
                e = Expression.constant(r.numerator) / bottom
        found.append((_recipe_cost(recipes[k]), Expression.apply("sqrt", e) if root else e))
    for _, e in sorted(found, key=lambda f: f[0])[:TRIES]:
        if value >= 0:
            yield e
        elif len(e) == 1 and e.constants[0].name is None:
            yield Expression.constant(-e.constants[0].value)
        else:
            yield Expression.apply("neg", e)


def rounded(e: Expression, reach: float = 0.05) -> Iterator[Expression]:
    """``e`` with all free constants at exact numbers within a share ``reach`` of their values, simplest first."""
    nodes = [k for k, (op, arg) in enumerate(e.code) if op == oc.CONST and e.constants[arg].free]
    values = [e.constants[e.code[k][1]].value for k in nodes]
    for numbers in product(*(list(exact_numbers(v, reach * abs(v))) for v in values)):
        yield _with_numbers(e, list(zip(nodes, numbers, strict=True)))


def snap(
    h: Hypothesis,
    covariance: Callable[[Expression], NDArray[np.float64]],
    refit: Callable[[Expression], Hypothesis | None],
    scorer: Scorer,
) -> Hypothesis:
    """Greedy snapping: as long as the score falls, fix one to three constants at exact numbers.

    ``covariance`` gives that of all constant slots (n_constant, n_constant), ``refit`` simplifies, fits the other constants and
    scores. What a move would cost is predicted (:func:`_moves`); only the most promising are tried.
    """
    best = h
    refused: set[tuple[tuple[int, str], ...]] = set()
    while best.expression.free:
        e = best.expression
        for _, fixed in _moves(best, covariance(e), scorer)[:TRIED]:
            move = tuple((round(e.constants[e.code[node][1]].value * 1e6), str(number)) for node, number in fixed)
            if move in refused:
                continue
            trial = refit(_with_numbers(e, fixed))
            if trial is not None and trial.score < best.score:
                best = trial
                break
            refused.add(move)
        else:
            return best
    return best


def expected_snap_score(h: Hypothesis, covariance: NDArray[np.float64], scorer: Scorer) -> float:
    """The score that snapping could reach: predicted, nothing is fitted."""
    moves = _moves(h, covariance, scorer)
    alone: dict[int, float] = {}
    for change, fixed in moves:
        if len(fixed) == 1:
            alone[fixed[0][0]] = min(alone.get(fixed[0][0], 0.0), change)
    return h.score + min(sum(alone.values()), moves[0][0] if moves else 0.0)


def _with_numbers(e: Expression, fixed: Sequence[tuple[int, Expression]]) -> Expression:
    # From the back, since a number may have more nodes than one.
    for node, number in sorted(fixed, key=lambda pair: -pair[0]):
        e = e.replace_leaf(node, number)
    return e


@dataclass(frozen=True)
class _Option:
    """An exact number for the constant in slot ``arg``: how far it moves it, and what it changes in code length."""

    node: int
    arg: int
    number: Expression
    away: float
    cost: float


def _moves(
    h: Hypothesis, covariance: NDArray[np.float64], scorer: Scorer
) -> list[tuple[float, tuple[tuple[int, Expression], ...]]]:
    """(Predicted change of the score, ((node, exact number), …)) for one to ``JOINT`` constants at once, best first.

    With a parabola for the sum of squares, moving some constants by d while the others adapt adds dᵀ C⁻¹ d times the noise
    variance to it, C being the covariance of those that move: together they may stay where each alone cannot.
    """
    options = [o for o in _options(h, covariance, scorer) if o]
    joint = JOINT if len(options) <= FEW else 2
    moves: list[tuple[float, tuple[tuple[int, Expression], ...]]] = []
    for n in range(1, min(joint, len(options)) + 1):
        for constants in combinations(options, n):
            slots = [c[0].arg for c in constants]
            C = covariance[np.ix_(slots, slots)]
            size = np.array([max(C[k, k], 1e-18 * _square(h, a), 1e-300) for k, a in enumerate(slots)])
            root = np.sqrt(size)
            inverse = np.linalg.pinv(C / root / root[:, None] if n > 1 else np.ones((1, 1)), hermitian=True)
            for chosen in product(*constants):
                d = np.array([o.away for o in chosen]) / root
                change = scorer.likelihood.extra_misfit(float(d @ inverse @ d)) + sum(o.cost for o in chosen)
                moves.append((change, tuple((o.node, o.number) for o in chosen)))
    return sorted(moves, key=lambda m: (m[0], [node for node, _ in m[1]]))


def _square(h: Hypothesis, arg: int) -> float:
    return h.expression.constants[arg].value ** 2


def _options(h: Hypothesis, covariance: NDArray[np.float64], scorer: Scorer) -> Iterator[list[_Option]]:
    """For each free constant the exact numbers near it."""
    e = h.expression
    log_symbols = math.log(scorer.symbols)
    angles, bare = any(op in CIRCULAR for op, _ in e.code), _bare(e)
    for node, (op, arg) in enumerate(e.code):
        if op != oc.CONST or not e.constants[arg].free or e.constants[arg].name is not None:
            continue
        value, variance = e.constants[arg].value, float(covariance[arg, arg])
        error = REACH * math.sqrt(variance) + 1e-9 * abs(value)
        if abs(value) <= error:
            numbers = [Expression.constant(0.0)]
        else:
            with_pi = angles or node not in bare or error <= SHARP * abs(value)
            numbers = list(exact_numbers(value, min(error, 0.2 * abs(value)), with_pi))
        known = fitted_cost(value, 1.0 / variance if variance > 0 else 0.0)
        found = []
        for number in numbers:
            size = len(number) - 1
            if len(number) == 1 and abs(number.constants[0].value) in (0.0, 1.0):
                # The operation it stands in goes with it.
                size = -2
            cost = size * log_symbols + sum(literal_cost(c) for c in number.constants) - known
            found.append(_Option(node, arg, number, float(_value(number)) - value, cost))
        yield found


def _bare(e: Expression) -> set[int]:
    """Nodes that are a term of a sum, or an exponent. Where no angle is meant such a number, unless well known, is hardly a
    multiple of π: an offset of 3.1 is a background."""
    stack: list[int] = []
    out: set[int] = set()
    for node, (op, _) in enumerate(e.code):
        n = oc.arity(op)
        if op in (oc.ADD, oc.SUB):
            out.update(stack[-2:])
        elif op == oc.POW:
            out.add(stack[-1])
        if n:
            del stack[-n:]
        stack.append(node)
    return out


def _value(number: Expression) -> float:
    return float(Program.of(number, ()).value(np.empty((0, 1)))[0])
