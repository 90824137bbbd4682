"""Fitted coefficients that are positive, signs written out: ``-c1*n`` with c1 = 0.3, whatever a search came from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc


def with_positive_coefficients(fitted: Calibrated) -> Calibrated:
    """The same fit with the signs of negative coefficients of terms written out; constants that several terms share, and those
    that the user named, stay as they are."""
    system = fitted.system
    of = list(system.of_constants)
    flipped: set[int] = set()
    equations = []
    for e, place in zip(system.equations, system.places, strict=True):
        number = dict(zip(e.free, place, strict=True))
        slots = {
            slot
            for slot, n in number.items()
            if e.constants[slot].value < 0 and e.constants[slot].name is None and of.count(of[n]) == 1
        }
        new, done = _flip(e, slots)
        flipped |= {of[number[slot]] for slot in done}
        equations.append(new)
    if not flipped:
        return fitted
    sign = np.ones(len(system.parameters))
    sign[list(flipped)] = -1.0
    return replace(
        fitted,
        system=system.with_equations(tuple(equations), system.shared),
        covariance=fitted.covariance * np.outer(sign, sign),
        segments=tuple(replace(s, with_parameters=s.with_parameters * sign) for s in fitted.segments),
    )


def _flip(e: Expression, slots: set[int]) -> tuple[Expression, set[int]]:
    """``e`` with coefficients among ``slots`` made positive, and which were. Constants keep their order."""
    first, parts = _begin(e), e.children
    if e.root in (oc.ADD, oc.SUB):
        left, right = parts
        n = len(left.constants)
        new_left, done = _flip(left, {s for s in slots if s < n})
        minus = e.root == oc.SUB
        if (at := _begin(right)) is not None and at + n in slots:
            right, minus = _negated(right, at), not minus
            done = done | {at + n}
        return (new_left - right if minus else new_left + right), done
    if e.root == oc.NEG:
        inner = parts[0]
        if (at := _begin(inner)) is not None and at in slots:
            return _negated(inner, at), {at}
        return e, set()
    if first is not None and first in slots:
        return -_negated(e, first), {first}
    return e, set()


def _begin(e: Expression) -> int | None:
    """The place of the coefficient that a term begins with, or that it is; None where it has none."""
    while e.root in (oc.MUL, oc.DIV):
        e = e.children[0]
    return 0 if e.root == oc.CONST and e.constants[0].free else None


def _negated(e: Expression, slot: int) -> Expression:
    """``e`` with the other sign of one constant."""
    values = e.values
    values[slot] = -values[slot]
    return e.with_values(values)
