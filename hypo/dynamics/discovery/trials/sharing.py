"""What several equations have in common: constants, ``-k*x*y`` here and ``+k*x*y`` there (mass action, a flow from state to
state), or the law, with states exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.sums import Number, Sum, SumTerm, as_sum
from hypo.dynamics.system import System
from hypo.expression.expr import PI, Expression

# Standard errors within which two numbers are taken to be equal.
WITHIN = 3.0
# Shares of their size within which they are, however well they are known.
ALIKE = 1e-3


def signed(system: System) -> System:
    """The same system with its equations as sums whose fitted coefficients are positive, signs written out. Its parameters are
    free of each other."""
    return system.with_equations(tuple(written(e) for e in system.equations))


def unshared(system: System) -> System:
    """The same system with parameters that are free of each other; as it is where they are."""
    return system if system.shared is None else signed(system)


def written(e: Expression) -> Expression:
    """``e`` as a sum of terms with positive coefficients, which makes most numbers linear; as it is where that takes more
    fitted numbers, or would lose names that the user gave."""
    if any(c.name is not None and c != PI for c in e.constants):
        return e
    s = as_sum(e)
    return s.positive_expression() if s.n_free <= len(e.free) else e


def with_free_coefficients(e: Expression) -> Expression:
    """``e`` multiplied out, with the number before each term to be fitted."""
    terms = tuple(SumTerm(Number(t.coefficient.value, True), t.factors) for t in as_sum(e).terms)
    return Sum(terms).positive_expression()


def coefficients(system: System) -> Iterator[tuple[int, int, str, float]]:
    """(Equation, number of the constant, form of its term, value) of the fitted coefficients of a :func:`signed` system."""
    for k, (e, numbers) in enumerate(zip(system.equations, system.places, strict=True)):
        s = as_sum(e)
        if s.n_free == len(e.free) and str(s.positive_expression()) == str(e):
            place = numbers.start
            for t in s.ordered:
                if t.coefficient.is_free:
                    yield k, place, t.form, abs(t.coefficient.value)
                place += t.n_free


def share_constants(fitted: Calibrated) -> System | None:
    """The system with coefficients of equal terms, in different equations, drawn together where they agree within their errors;
    None where there are none."""
    if fitted.system.shared is not None:
        return None
    system = signed(fitted.system)
    if len(system.parameters) != len(fitted.system.parameters):
        return None
    found = list(coefficients(system))
    shared = _first_places(system)
    errors = _errors(fitted, system)
    for a, (k, i, form, value) in enumerate(found):
        for m, j, other, second in found[:a]:
            if m == k or other != form or shared[i] != i:
                continue
            apart = abs(value - second)
            if apart <= WITHIN * np.hypot(errors[i], errors[j]) or apart <= ALIKE * value:
                shared[i] = shared[j]
    if shared == _first_places(system):
        return None
    numbers = {of: n for n, of in enumerate(dict.fromkeys(shared))}
    return system.with_equations(system.equations, tuple(numbers[of] for of in shared))


def exchanged(system: System, sought: Sequence[int]) -> Iterator[System]:
    """Systems in which one equation is another one with the two states exchanged, with numbers of its own and with the same."""
    for j in sought:
        for k in sought:
            if k == j:
                continue
            one, other = system.states[j], system.states[k]
            names = {one: Expression.variable(other), other: Expression.variable(one)}
            new = system.with_equation(k, system.equations[j].substitute(names))
            if as_sum(new.equations[k]).form == as_sum(system.equations[k]).form:
                continue
            yield new.with_equation(k, written(new.equations[k]))
            same = _first_places(new)
            same[new.places[k].start : new.places[k].stop] = new.places[j]
            number = {of: n for n, of in enumerate(dict.fromkeys(same))}
            yield new.with_equations(new.equations, tuple(number[of] for of in same))


def _first_places(system: System) -> list[int]:
    """For each free constant the place of the first one that has its parameter."""
    first: dict[int, int] = {}
    return [first.setdefault(of, n) for n, of in enumerate(system.of_constants)]


def _errors(fitted: Calibrated, system: System) -> list[float]:
    """Standard errors of the constants of ``system``, which has those of the fit in another order: by value."""
    sd = np.sqrt(np.maximum(np.diag(fitted.covariance), 0.0))
    size = np.abs(fitted.system.parameters)
    out = []
    for value in np.abs(system.parameters):
        near = int(np.argmin(np.abs(size - value)))
        known = abs(size[near] - value) <= 1e-6 * value
        out.append(float(sd[near]) if known else 0.0)
    return out
