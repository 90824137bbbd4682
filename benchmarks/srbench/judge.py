"""Judges if a found formula is the law: SRBench's symbolic criterion, and a numerical one that looks at the form only."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from agreement import agrees
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program, evaluate
from hypo.kernels import opcodes as oc

if TYPE_CHECKING:
    import sympy
    from suites import Problem

# Constants are rounded to this many decimals before formulas are compared, as SRBench does.
DECIMALS = 3
TOLERANCE = 1e-6
# A constant that must change by more than this factor, or change sign, stands in a part that the law does not have.
LARGEST_CHANGE = 2.0
# An exponent may change by less.
LARGEST_POWER_CHANGE = 1.05
# What a factor's departure from 1 adds to the residuals: far below TOLERANCE, far above rounding.
TETHER = 1e-8
_PROBES = 12


class _TimeoutError(BaseException):
    # Not an Exception: sympy catches those.
    pass


def solved(found: Expression, problem: Problem, seconds: float = 20.0) -> bool | None:
    """SRBench's criterion: found - law simplifies to a constant, or found / law to a constant other than 0.

    The found formula's constants are rounded to three decimals first; symbols are positive where their range is.
    The result is compared with the law as it is written and with the law's own constants rounded in the same way. None
    when sympy does not come to an end within ``seconds``.
    """

    def stop(*_: object) -> None:
        raise _TimeoutError

    old = signal.signal(signal.SIGALRM, stop)
    # Repeated: an alarm may fall into a place that swallows it.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        return _simplifies(found, problem)
    except _TimeoutError:
        return None
    except (ArithmeticError, AttributeError, NotImplementedError, RecursionError, TypeError, ValueError):
        # What sympy raises where it cannot handle a formula says nothing about the formula.
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, old)


def _simplifies(found: Expression, problem: Problem) -> bool:
    import sympy

    symbols = {
        sympy.Symbol(n, real=True): sympy.Symbol(n, positive=True) if low > 0 else sympy.Symbol(n, real=True)
        for n, low in zip(problem.names, problem.ranges[:, 0], strict=True)
    }
    guess, law = found.sympy().xreplace(symbols), problem.law.sympy().xreplace(symbols)
    points = _probes(problem, symbols)
    laws = {law: None, _rounded(sympy.N(law)): None}
    for form in _once([lambda: guess, lambda: sympy.expand(guess), lambda: sympy.simplify(guess)]):
        f = _rounded(form)
        if f.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
            continue
        for truth in laws:
            if _is_constant(f - truth, points, zero=True) or _is_constant(f / truth, points, zero=False):
                return True
    return False


def _once(makers: list[Callable[[], sympy.Expr]]) -> Iterator[sympy.Expr]:
    """The distinct expressions made, each computed when it is asked for."""
    seen = set()
    for make in makers:
        e = make()
        if e not in seen:
            seen.add(e)
            yield e


def _rounded(e: sympy.Expr) -> sympy.Expr:
    """``e`` with decimal numbers rounded to ``DECIMALS`` and made exact fractions."""
    import sympy

    return e.xreplace({a: sympy.Rational(str(round(float(a), DECIMALS))) for a in e.atoms(sympy.Float)})


def _probes(problem: Problem, symbols: dict[sympy.Symbol, sympy.Symbol]) -> list[dict[sympy.Symbol, sympy.Rational]]:
    """A few points of the ranges with short decimals."""
    import sympy

    X = np.round(problem.fresh(4 * _PROBES, np.random.default_rng(7)), 3)[:_PROBES]
    return [{s: sympy.Rational(str(v)) for s, v in zip(symbols.values(), x, strict=True)} for x in X]


def _is_constant(e: sympy.Expr, points: list[dict[sympy.Symbol, sympy.Rational]], *, zero: bool) -> bool:
    """True if ``e`` simplifies to a finite number; 0 counts only if ``zero``."""
    import sympy

    def settled(form: sympy.Expr) -> bool:
        return not form.free_symbols and bool(form.is_finite) and (zero or not form.is_zero)

    # No simplification makes a constant of what takes different values: this spares the long attempts.
    values = [complex(sympy.N(e.xreplace(p), 30)) for p in points]
    defined = [v for v in values if math.isfinite(v.real) and math.isfinite(v.imag)]
    if not defined or any(abs(v - defined[0]) > 1e-9 * max(1.0, abs(defined[0])) for v in defined):
        return False
    steps: list[Callable[[sympy.Expr], sympy.Expr]] = [
        lambda u: u,
        sympy.expand,
        sympy.cancel,
        lambda u: sympy.powdenest(sympy.powsimp(u, force=True), force=True),
        sympy.simplify,
        sympy.trigsimp,
        lambda u: sympy.simplify(sympy.expand_trig(sympy.expand(u))),
        lambda u: sympy.simplify(sympy.expand_log(u, force=True)),
        sympy.radsimp,
        lambda u: sympy.simplify(sympy.expand(u.rewrite(sympy.exp))),
        lambda u: sympy.nsimplify(sympy.simplify(u)),
    ]
    return any(settled(step(e)) for step in steps)


def recovered(found: Expression, problem: Problem, rng: np.random.Generator) -> bool:
    """True if the found form, its constants fitted to the law without noise, is the law.

    All constants but whole numbers and pi are fitted by least squares, from the found values, on fresh points of the
    ranges. The result must then agree with the law to ``TOLERANCE`` of the law's RMS on further points within the
    ranges and, where both are defined, half as far again around them. So noise in constants does not count against a
    form; but a constant that has to vanish, turn its sign or change by more than ``LARGEST_CHANGE`` does: then the
    found formula had a part too many. A constant added to the whole may vanish, as in SRBench: some engines always
    add one.
    """
    X = problem.to_fit(1000, rng)
    y = problem.value(X)
    usable = np.isfinite(y) & np.isfinite(evaluate(found, X, problem.names))
    if usable.mean() < 0.9:
        return False
    free = [i for i, c in enumerate(found.constants) if c.name is None and not c.value.is_integer()]
    best = found.with_values(refitted(found, free, X[usable], y[usable], problem.names))
    if not agrees(
        lambda X: evaluate(best, X, problem.names),
        problem.value,
        lambda stretch: problem.fresh(2000, rng, stretch),
        TOLERANCE,
    ):
        return False
    old, new = found.values, best.values
    powers = exponents(found)
    limit = [LARGEST_POWER_CHANGE if i in powers else LARGEST_CHANGE for i in range(len(old))]
    return all(1.0 / limit[i] <= new[i] / old[i] <= limit[i] for i in set(free) - _offsets(found))


def refitted(
    found: Expression, free: Sequence[int], X: NDArray[np.float64], y: NDArray[np.float64], names: Sequence[str]
) -> NDArray[np.float64]:
    """The values of all constants, those numbered in ``free`` at the least squares near the found ones.

    Fitted are the factors on the found values, held near 1 by ``TETHER``: so constants that a formula holds twice, as
    in 2.1*(1.3*x), do not run away together.
    """
    from scipy.optimize import least_squares

    if not free:
        return found.values
    program, columns = Program.of(found, names), np.ascontiguousarray(X.T)
    scale = np.sqrt(np.mean(y**2))

    def values(factors: NDArray[np.float64]) -> NDArray[np.float64]:
        out = found.values
        out[free] *= factors
        return out

    def residual(factors: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.append((program.value(columns, values(factors)) - y) / scale, TETHER * (factors - 1.0))

    def jacobian(factors: NDArray[np.float64]) -> NDArray[np.float64]:
        gradient = program.value_and_gradient(columns, values(factors))[1]
        return np.vstack([(gradient[free] * found.values[free, None]).T / scale, TETHER * np.eye(len(free))])

    try:
        with np.errstate(all="ignore"):
            factors = least_squares(
                residual, np.ones(len(free)), jacobian, xtol=1e-14, ftol=1e-14, gtol=1e-12, max_nfev=300
            ).x
    except (ValueError, np.linalg.LinAlgError):
        # A derivative that is not finite: the found values stand.
        return found.values
    return values(factors)


def exponents(e: Expression) -> set[int]:
    """Constants that are an exponent by themselves: they belong to the form more than others do."""
    pairs = pairwise(e.code)
    return {arg for (op, arg), (after, _) in pairs if op == oc.CONST and after == oc.POW}


def _offsets(e: Expression) -> set[int]:
    """The constants that are added to all the rest."""
    waiting, offsets = [len(e) - 1], set()
    while waiting:
        node = waiting.pop()
        op, arg = e.code[node]
        if op == oc.CONST:
            offsets.add(arg)
        elif op in (oc.ADD, oc.SUB):
            waiting += [node - 1, e.starts[node - 1] - 1]
    return offsets
