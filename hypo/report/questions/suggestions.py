"""Suggested measurements: the domain they are looked for in, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.errors import InputError
from hypo.expression.printing import shortened
from hypo.report.console import as_text
from hypo.report.formatting import format_number, round_to_error
from hypo.report.layout import TextTable, wrap_sentences

# By this share of the data's range the default domain is wider on either side; it does not reach across 0.
WIDER = 0.25
# Information below which a measurement tells nothing, in nats.
NOTHING = 1e-3
# Rows as close as this share of the domain's width in all columns are the same row again.
SAME = 1e-4
# Near 0 numbers differ that are much closer than that: by this share of themselves at least.
SAME_NUMBER = 1e-3


@dataclass(frozen=True)
class Suggestions:
    """Rows to measure, the first one first, in the units of the user's table.

    ``points`` (n_point, n_column) has a value for each of ``columns``. Of each point: ``mean``, the prediction;
    ``disagreement``, the standard deviation between hypotheses, given the points before; ``noise``, that of one row;
    ``information``, in nats.
    """

    columns: tuple[str, ...]
    points: NDArray[np.float64]
    mean: NDArray[np.float64]
    disagreement: NDArray[np.float64]
    noise: NDArray[np.float64]
    information: NDArray[np.float64]
    target: str
    domain: dict[str, tuple[float, float]]
    remarks: tuple[str, ...]

    FIGURES = ("mean", "disagreement", "noise", "information")

    def rows(self) -> list[dict[str, float]]:
        """The suggestions as dictionaries by column."""
        return [dict(zip(self.columns, map(float, x), strict=True)) for x in self.points]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        figures = zip(*(getattr(self, name).tolist() for name in self.FIGURES), strict=True)
        rows = [
            {"at": at, **dict(zip(self.FIGURES, values, strict=True))}
            for at, values in zip(self.rows(), figures, strict=True)
        ]
        domain = {name: list(ends) for name, ends in self.domain.items()}
        return {"target": self.target, "domain": domain, "suggestions": rows, "remarks": list(self.remarks)}

    def csv(self) -> str:
        """A table with a line for each suggestion."""
        header = ",".join([*self.columns, f"{self.target}_mean", *self.FIGURES[1:]])
        figures = np.column_stack([self.points, *(getattr(self, name) for name in self.FIGURES)])
        return "\n".join([header, *(",".join(repr(float(v)) for v in row) for row in figures), ""])

    def __repr__(self) -> str:
        count, columns = len(self.points), shortened(", ".join(self.columns))
        return f"<Suggestions: {count} row{'s' * (count != 1)} of {columns} to measure {self.target} in>"

    def __str__(self) -> str:
        return "\n".join([as_text(self._table()), "", wrap_sentences(self.remarks)])

    def _repr_html_(self) -> str:
        from hypo.report.display.html import write_page

        return write_page([self._table()], self.remarks)

    def _table(self) -> TextTable:
        table = TextTable()
        for name in (*self.columns, f"{self.target}", "disagreement", "noise", "nats"):
            table.add_column(name, right=True)
        digits = [_digits(*self.domain[name]) for name in self.columns]
        for x, *values in zip(self.points, *(getattr(self, name) for name in self.FIGURES), strict=True):
            at = (format_number(float(v), d) for v, d in zip(x, digits, strict=True))
            mean, apart, noise, nats = map(float, values)
            error = math.hypot(apart, noise)
            # Two digits of an error beyond the number itself would leave nothing of it.
            target = (
                round_to_error(error, mean)[0] if error < 10.0 * abs(mean) or mean == 0.0 else format_number(mean, 2)
            )
            table.add_row(*at, target, format_number(apart, 2), format_number(noise, 2), format_number(nats, 3))
        return table


def _digits(low: float, high: float) -> int:
    """Significant digits that tell apart values within a range: five, and more where it is far from 0."""
    size, width = max(abs(low), abs(high)), high - low
    return 5 + (max(0, math.floor(math.log10(size / width))) if 0.0 < width < size else 0)


def widen(low: float, high: float) -> tuple[float, float]:
    """The range of the data with ``WIDER`` of it on either side, up to 0 at most if they have one sign."""
    more = WIDER * (high - low)
    return (max(0.0, low - more) if low >= 0 else low - more, min(0.0, high + more) if high <= 0 else high + more)


def choose_domain(
    given: Mapping[str, Sequence[float]] | None, features: Sequence[str], ranges: Mapping[str, Sequence[float]]
) -> dict[str, tuple[float, float]]:
    """Lower and upper ends for each column: as ``given``, else those of the data, widened. Raises InputError."""
    from hypo.problem.from_table import LARGEST

    out = {name: widen(float(ranges[name][0]), float(ranges[name][1])) for name in features if name in ranges}
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f'the domain must name columns, such as {{"x": (0, 10)}}, got {given!r}')
    for name, ends in (given or {}).items():
        if name not in features:
            raise InputError(f"the domain names {name}, but the columns are {', '.join(features)}")
        try:
            low, high = ends
        except (TypeError, ValueError):
            raise InputError(f"the domain of {name} must be a pair (low, high), got {ends!r}") from None
        for end in (low, high):
            if isinstance(end, bool) or not isinstance(end, Real) or not math.isfinite(end):
                raise InputError(f"the domain of {name} must be a pair of finite numbers, got {ends!r}")
        if max(abs(low), abs(high)) > LARGEST:
            raise InputError(
                f"the domain of {name} must lie between {-LARGEST:g} and {LARGEST:g}, got {low:g} to {high:g}"
            )
        if not low < high:
            raise InputError(f"the domain of {name} must rise from its lower to its upper end, got {low:g} to {high:g}")
        out[name] = (float(low), float(high))
    missing = [name for name in features if name not in out]
    if missing:
        raise InputError(
            f"this result does not hold the range of {missing[0]} (an older version): give its domain, {missing[0]}=LOW:HIGH"
        )
    return {name: out[name] for name in features}


def read_domain(texts: Iterable[str]) -> dict[str, tuple[float, float]]:
    """The domain written as ``x=0:10`` for each column; raises InputError."""
    out: dict[str, tuple[float, float]] = {}
    for text in texts:
        name, equals, ends = (part.strip() for part in text.partition("="))
        low, colon, high = ends.partition(":")
        try:
            pair = float(low), float(high)
        except ValueError:
            pair = None
        if not name or not equals or not colon or pair is None:
            raise InputError(f'a domain must be written NAME=LOW:HIGH, such as x=0:10, got "{text}"')
        if name in out:
            raise InputError(f"the domain of {name} is given twice; give it once")
        out[name] = pair
    return out


def count_repeats(points: NDArray[np.float64], domain: Mapping[str, tuple[float, float]]) -> int:
    """How many of ``points`` (n_point, n_column) lie where an earlier one does, to ``SAME`` of the domain's widths and, near 0,
    to ``SAME_NUMBER`` of the numbers themselves."""
    width = np.array([high - low for low, high in domain.values()])

    def again(k: int) -> bool:
        size = np.maximum(np.abs(points[:k]), np.abs(points[k]))
        near = np.maximum(np.minimum(SAME * width, SAME_NUMBER * size), SAME**2 * width)
        return bool(np.any(np.all(np.abs(points[:k] - points[k]) <= near, axis=1)))

    return sum(again(k) for k in range(1, len(points)))


def explain_suggestions(
    information: NDArray[np.float64], unused: Sequence[str], one: bool, repeated: int = 0, unearned: str = ""
) -> tuple[str, ...]:
    """The meaning of the figures and their limits, one sentence each; ``repeated`` is the number of repeated rows,
    ``unearned`` as in :class:`~hypo.posterior.posterior.Posterior`."""
    out = [
        "Nats: expected information, ½ log(1 + disagreement²/noise²), of each measurement given those before it; hypotheses "
        "are weighed by the posterior."
    ]
    if unearned:
        out.append(f"They tell apart what the search met, and {unearned}.")
    elif one:
        out.append("One structure has nearly all the weight, so that the measurements are to determine its constants.")
    if unused:
        out.append(f"No likely formula uses {', '.join(unused)}: any value will do, the middle of the domain is shown.")
    if repeated and float(np.max(information)) >= NOTHING:
        these = "1 suggestion is" if repeated == 1 else f"{repeated} suggestions are"
        out.append(
            f"{these} of a row that was suggested before: measuring it again, which averages the noise, tells more there than "
            "any other row does. For different rows give --distinct (in Python distinct=True)."
        )
    if float(np.max(information)) < NOTHING:
        out.append("The likely hypotheses agree all over the domain: no measurement there tells them apart.")
    return tuple(out)
