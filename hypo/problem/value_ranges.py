"""The values that subexpressions take over the stated ranges, and which operators they therefore cannot stand under.

A hard rule wants the law to have a value all over its domain, and a formula has one only where all its parts do. So where
[ranges] (or a rule's ``where``) gives a variable its values, sqrt(u) is never enumerated if u is negative somewhere, nor
log(u), asin(u) if |u| > 1 somewhere, nor 1/u if u changes sign: a connected box holds a zero of it then, or a point where u
itself has no value. Sides are told from points of the domain and never from intervals, which are too wide to show that a
value is reached; what the points do not show is not pruned.

Formulas count as they are written: 1/(1/x + 1/y) has no value at x = 0 although x*y/(x + y) has, and is not enumerated when x
runs through 0. Variables without stated values, and what holds them, are never pruned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.kernels import opcodes as oc
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.rules.base import Rule

# Points of a domain; the share of its largest magnitude by which a value must be on the wrong side: rounding is not.
POINTS, SURE = 128, 1e-3
# What is wrong with a member as an argument, as bits. That it is a plain number has nothing to do with ranges and is not
# counted: the sign bit says so to the kernel.
NEGATIVE, CROSSES_ZERO, BEYOND_ONE, PLAIN_NUMBER = 1, 2, 4, -128
FLAWS = {
    "u >= 0": NEGATIVE,
    "u > 0": NEGATIVE,
    "u != 0": CROSSES_ZERO,
    "v != 0": CROSSES_ZERO,
    "-1 <= u <= 1": BEYOND_ONE,
}
"""By the domain of an operator, the flaw of its last argument that makes it undefined somewhere."""

Values = NDArray[np.float64]


def flaws_of_operators() -> NDArray[np.int8]:
    """For each opcode the flaws (n_opcode,) of its last argument under which it does not stand."""
    out = np.zeros(oc.N_OPCODE, np.int8)
    for row in ops.BY_NAME.values():
        out[row.opcode] = FLAWS.get(row.domain, 0) | (PLAIN_NUMBER if row.is_transcendental else 0)
    return out


@dataclass(frozen=True)
class ValueRanges:
    """Points (n_var, n_point) of each of the ``domains`` where the law must have a value, in the problem's units, NaN for
    variables without stated values. ``pruned`` counts the candidates that were not enumerated for it."""

    columns: tuple[str, ...]
    domains: tuple[Values, ...]
    pruned: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64), compare=False)

    @staticmethod
    def of(
        columns: Sequence[str],
        ranges: Mapping[str, tuple[float, float]],
        rules: Iterable[Rule],
        scales: Mapping[str, float],
    ) -> ValueRanges | None:
        """The domains that the stated ``ranges`` and those of hard rules give; None where they say nothing."""
        boxes = {tuple(sorted({**ranges, **r.where}.items())) for r in rules if r.hard and r.total}
        found = [_points(columns, dict(box), scales) for box in sorted(boxes)]
        domains = tuple(X for X in found if not np.all(np.isnan(X)))
        return ValueRanges(tuple(columns), domains) if domains else None

    def flaws(self, values: Iterable[Values]) -> NDArray[np.int8]:
        """Flaws (n,) of formulas with the given ``values`` (n, n_point) on each domain."""
        out: NDArray[np.int8] | None = None
        for v in values:
            with np.errstate(all="ignore"):
                low, high = np.min(v, axis=1), np.max(v, axis=1)
                sure = SURE * np.maximum(np.abs(low), np.abs(high))
                # Undefined or unknown somewhere: no comparison holds, nothing is said.
                found = (
                    NEGATIVE * (low < -sure)
                    + CROSSES_ZERO * ((low < -sure) & (high > sure))
                    + BEYOND_ONE * (np.maximum(np.abs(low), np.abs(high)) > 1 + SURE)
                ).astype(np.int8)
            found[~(np.isfinite(low) & np.isfinite(high))] = 0
            out = found if out is None else out | found
        assert out is not None
        return out


def _points(columns: Sequence[str], box: Mapping[str, tuple[float, float]], scales: Mapping[str, float]) -> Values:
    known = {name: box[name] for name in columns if name in box}
    sample = Domain(known).sample(POINTS) if known else {}
    out = np.full((len(columns), POINTS), np.nan)
    for row, name in zip(out, columns, strict=True):
        if name in sample:
            row[:] = sample[name] * scales.get(name, 1.0)
    return out
