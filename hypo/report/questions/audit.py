"""A trust audit: which structures came back how often, how far their numbers spread, on one page and as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.expression.printing import shortened
from hypo.report.console import as_text
from hypo.report.formatting import format_value, round_to_error
from hypo.report.layout import TextTable, wrap_sentences
from hypo.report.sentences import as_sentence

if TYPE_CHECKING:
    from hypo.expression.expr import Expression

AUDIT_SCHEMA = "hypo-audit/1"
# Structures on the page.
SHOWN = 12
# Structures whose numbers are listed.
DETAILED = 2
# The central share of runs that a range of numbers covers.
LEVEL = 0.9
# Standard errors on either side of the interval for a share: the normal quantile at 0.975, for a confidence of 95 %.
Z = 1.959964


@dataclass(frozen=True)
class Run:
    """One fit: ``kind`` is ``seed`` or ``resample`` with its ``number``, ``status`` as in a result."""

    kind: str
    number: int
    status: str
    expression: Expression | None
    score: float

    def as_dict(self) -> dict[str, Any]:
        """The entry of ``runs``."""
        text = None if self.expression is None else str(self.expression)
        score = self.score if math.isfinite(self.score) else None
        return {"kind": self.kind, "number": self.number, "status": self.status, "expression": text, "score": score}


@dataclass(frozen=True)
class ConstantRange:
    """A number of a structure over the runs that found it: the value in the formula shown, mean, standard deviation, and the
    ends of the central 90 %; over resamples, or seeds where there are no two resamples."""

    name: str
    value: float
    mean: float
    std: float
    lower: float
    upper: float
    runs: int


@dataclass(frozen=True)
class Group:
    """The runs that found one structure: ``form`` names its numbers, ``expression`` is the best fit of it to all rows (to a
    resample where no seed found it)."""

    form: str
    expression: Expression
    seeds: int
    resamples: int
    numbers: tuple[ConstantRange, ...]

    def __repr__(self) -> str:
        return f"<Group {shortened(self.form)}; {self.seeds} seeds, {self.resamples} resamples>"

    @property
    def runs(self) -> int:
        """In how many runs it was found."""
        return self.seeds + self.resamples

    def as_dict(self) -> dict[str, Any]:
        """The entry of ``structures``."""
        numbers = [vars(s) for s in self.numbers]
        shown = {
            "form": self.form,
            "expression": str(self.expression),
            "seeds": self.seeds,
            "resamples": self.resamples,
        }
        return {**shown, "numbers": numbers}


@dataclass(frozen=True)
class Audit:
    """The audit that :func:`hypo.audit` returns. ``runs`` are those that were done of the ``asked`` numbers of seeds and
    resamples; ``notes`` are those on how the table was read."""

    runs: tuple[Run, ...]
    target: str
    features: tuple[str, ...]
    n_row: int
    asked: tuple[int, int]
    time_limit: float
    turns: int | None
    seed: int
    interrupted: bool
    data_sha256: str
    notes: tuple[str, ...] = ()

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The structures, the most frequent first."""
        return group_runs(self.runs)

    def done(self, kind: str) -> int:
        """How many runs of a kind were done."""
        return sum(r.kind == kind for r in self.runs)

    @property
    def variables(self) -> dict[str, float]:
        """The share of the runs whose formula holds each column."""
        found = Counter(name for r in self.runs if r.expression is not None for name in set(r.expression.variables))
        return {name: found[name] / max(1, len(self.runs)) for name in self.features}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "schema": AUDIT_SCHEMA,
            "target": self.target,
            "features": list(self.features),
            "n_row": self.n_row,
            "asked": {"seeds": self.asked[0], "resamples": self.asked[1]},
            "done": {"seeds": self.done("seed"), "resamples": self.done("resample")},
            "time_limit": self.time_limit,
            "turns": self.turns,
            "seed": self.seed,
            "interrupted": self.interrupted,
            "data_sha256": self.data_sha256,
            "structures": [g.as_dict() for g in self.groups],
            "variables": self.variables,
            "remarks": self.remarks(),
            "runs": [r.as_dict() for r in self.runs],
        }

    def to_json(self) -> str:
        """The text of the JSON file."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def remarks(self) -> list[str]:
        """The findings of the audit and their limits, one sentence each."""
        out = []
        if self.groups:
            first = self.groups[0]
            parts = []
            if self.done("seed"):
                parts.append(f"with {first.seeds} of {self.done('seed')} seeds")
            if n := self.done("resample"):
                low, high = wilson_interval(first.resamples, n)
                parts.append(f"in {first.resamples} of {n} resamples (95 % interval {low:.0%} to {high:.0%})")
            out.append(f"The structure found most often, {first.form}, came back {' and '.join(parts)}.")
        missing = sum(r.expression is None for r in self.runs)
        if missing:
            out.append(f"{_fits(missing)} found no formula.")
        if len(self.runs) < sum(self.asked):
            why = "the user ended it" if self.interrupted else "the total time was over"
            out.append(f"{len(self.runs)} of {sum(self.asked)} fits were done before {why}.")
        limited = sum(r.status == "time_limit" for r in self.runs)
        if limited:
            out.append(
                f"{_fits(limited)} ended by the time limit of {self.time_limit:g} s, so that another audit may differ."
            )
        if self.done("resample"):
            out.append(
                "Resamples repeat rows, so that a structure may come back less often than new data would have it; an error in "
                "all rows shows in none of them."
            )
        return out

    def __repr__(self) -> str:
        most = f"; the most frequent {shortened(self.groups[0].form)} in {self.groups[0].runs}" if self.groups else ""
        count = len(self.groups)
        return f"<Audit of {self.target}: {_fits(len(self.runs))}, {count} structure{'s' * (count != 1)}{most}>"

    def _repr_html_(self) -> str:
        from hypo.report.display.html import write_page

        return write_page([self._table()] if self.groups else [], self.remarks())

    def __str__(self) -> str:
        head = (
            f"Audit of {self.target} ({self.n_row} rows): {self.done('seed')} seeds, {self.done('resample')} resamples"
        )
        lines = [head, *(["", as_text(self._table())] if self.groups else [])]
        more = len(self.groups) - SHOWN
        if more > 0:
            rest = sum(g.runs for g in self.groups[SHOWN:])
            lines.append(f"and {more} more structures in {rest} fits")
        for g in self.groups[:DETAILED]:
            if g.numbers:
                lines += ["", f"Numbers of {g.form} in {_fits(g.numbers[0].runs)}:"]
                lines += map(_spread_line, g.numbers)
        if self.groups and len(self.features) > 1:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in self.variables.items())
            lines += ["", f"Columns in the formulas: {shares}"]
        return "\n".join([*lines, "", wrap_sentences([*self.remarks(), *map(as_sentence, self.notes)])])

    def _table(self) -> TextTable:
        table = TextTable()
        for name in ("seeds", "resamples"):
            table.add_column(name, right=True)
        for name in ("structure", f"{self.target} ="):
            table.add_column(name, wraps=True)
        for g in self.groups[:SHOWN]:
            table.add_row(str(g.seeds), str(g.resamples), g.form, g.expression.pretty())
        return table


def _spread_line(s: ConstantRange) -> str:
    """A number over the runs, with the digits that its spread leaves."""
    mean, value, lower, upper = round_to_error(s.std, s.mean, s.value, s.lower, s.upper)
    spread = format_value(s.mean, s.std) or mean
    return f"  {s.name} = {value}; mean {spread} (standard deviation), 90 % of them {lower} to {upper}"


def group_runs(runs: Sequence[Run]) -> tuple[Group, ...]:
    """Runs by structure, the most frequent first; ties by score."""
    from hypo.posterior.posterior import structure_key

    by_key: dict[str, list[Run]] = {}
    for run in runs:
        if run.expression is not None:
            by_key.setdefault(structure_key(run.expression), []).append(run)
    ordered = sorted(by_key.items(), key=lambda item: (-len(item[1]), min(r.score for r in item[1]), item[0]))
    return tuple(_group(key, found) for key, found in ordered)


def _group(key: str, found: Sequence[Run]) -> Group:
    # Only fits to all rows have comparable scores.
    best = min((r for r in found if r.kind == "seed"), key=lambda r: r.score, default=None)
    shown = (best or min(found, key=lambda r: r.score)).expression
    assert shown is not None
    own = align(shown, key)
    resamples = [r for r in found if r.kind == "resample"]
    over = resamples if len(resamples) > 1 else found
    values = [v for r in over if r.expression is not None and (v := align(r.expression, key)) is not None]
    spreads: tuple[ConstantRange, ...] = ()
    form = shown.pretty()
    if own is not None:
        form = _form(own)
        if len(values) > 1:
            columns = np.array([[c.value for c in v.constants if c.free] for v in values]).T
            spreads = tuple(
                _spread(f"c{k}", value, column)
                for k, (value, column) in enumerate(
                    zip([c.value for c in own.constants if c.free], columns, strict=True), 1
                )
            )
    return Group(form, shown, sum(r.kind == "seed" for r in found), len(resamples), spreads)


def align(e: Expression, key: str) -> Expression | None:
    """``e`` with all its numbers free, spelled as the structure ``key`` is, so that numbers of formulas of one structure can be
    compared one by one; None where its own numbers make it simpler than its structure."""
    from hypo.expression.algebra.simplify import simplify

    free = tuple(replace(c, free=True, name=None) if c.free or c.name is None else c for c in e.constants)
    out = simplify(replace(e, constants=free))
    return out if out.masked() == key else None


def _form(e: Expression) -> str:
    """The structure with names for its numbers."""
    names = iter(range(1, len(e.constants) + 1))
    return replace(
        e, constants=tuple(replace(c, name=f"c{next(names)}") if c.free else c for c in e.constants)
    ).pretty()


def _spread(name: str, value: float, found: Any) -> ConstantRange:
    lower, upper = np.quantile(found, [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL])
    return ConstantRange(
        name, value, float(found.mean()), float(found.std(ddof=1)), float(lower), float(upper), len(found)
    )


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share (Wilson 1927): (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)."""
    p = hits / n
    centre, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return max(0.0, (centre - half) / (1 + Z**2 / n)), min(1.0, (centre + half) / (1 + Z**2 / n))


def _fits(count: int) -> str:
    return f"{count} fit" + ("s" if count != 1 else "")
