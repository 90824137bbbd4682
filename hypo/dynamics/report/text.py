"""A world model in words: its laws, their constants, how well they follow the data, rivals, and remarks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from hypo.data.headers import join_words
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.names import name_parameters
from hypo.dynamics.report.agreement import Agreement, measure_agreement
from hypo.dynamics.report.equations import LOOSE, Law, describe_laws, name_delays, name_speeds, rename
from hypo.knowledge.claims.claim import PROVED, REFUTED
from hypo.posterior.laplace import correlated
from hypo.report.console import as_text, print_table
from hypo.report.constants import ConstantRow, describe_undetermined
from hypo.report.formatting import format_nats, format_number, format_r2
from hypo.report.layout import INDENT, TextTable, fill, find_width, wrap_sentences
from hypo.report.sentences import STANDARD_ERROR, as_sentence
from hypo.report.tables import make_constants_table

# Rivals are shown until these and the likeliest have so much of the weight together.
SHOWN = 0.99
# Least weight of laws that were not met that is told.
LEAST_UNMET = 0.005
# The most systems in the table of rivals.
LINES = 6
# Noise grows with its state where the part that does not has less than this share of its variance.
CONSTANT = 0.5
# R² from the given start below that from the fitted one by more than this is worth a remark.
APART = 0.05


def write_laws(model: ModelFields, stream: IO[str] | None = None) -> str:
    """The laws of the likeliest system, a line or more each, in the width of the reader."""
    width = find_width(stream)
    return "\n".join(fill(law.text(), width, INDENT) for law in describe_laws(model.best, model.data))


def list_constants(laws: tuple[Law, ...]) -> tuple[ConstantRow, ...]:
    """The fitted constants of all laws, each name once; where two laws have it, the unit that is known counts."""
    rows: dict[str, ConstantRow] = {}
    for row in (row for law in laws for row in law.constants):
        if row.name not in rows or rows[row.name].unit is None:
            rows[row.name] = row
    return tuple(rows.values())


def make_states_table(model: ModelFields, fitted: Agreement, given: Agreement) -> TextTable:
    """By measured state: noise of one measurement, independent rows of its rate among all, R² from both starts."""
    table = TextTable()
    table.add_column("state")
    for name in ("noise", "effective rows", "R² fitted start", "R² given start"):
        table.add_column(name, right=True)
    for k, (state, noise) in enumerate(model.noise.items()):
        unit = model.data.units.get(state)
        rows = model.effective_rows[k : k + 1]
        table.add_row(
            state,
            format_number(noise, 3) + (f" {unit}" if unit else ""),
            "".join(f"{n} of {int(model.best.count[k])}" for n in rows),
            format_r2(fitted.states[state]),
            format_r2(given.states[state]),
        )
    return table


def make_rivals_table(model: ModelFields) -> TextTable:
    """The likeliest systems with their weights, and those of others and of laws not met; they make 100 %."""
    shown, weight, unmet = [], 0.0, model.discovered.unmet
    for system in model.systems[:LINES]:
        shown.append(system)
        weight += system.weight
        if weight >= SHOWN * (1.0 - unmet):
            break
    table = TextTable()
    table.add_column("weight", right=True)
    table.add_column("score", right=True)
    table.add_column("system", wraps=True)
    # Each rounded down or up so that all make 100 %.
    others_have = 1.0 - unmet - weight
    shares = round_shares([*(s.weight for s in shown), others_have, unmet])
    for system, share in zip(shown, shares, strict=False):
        laws = "; ".join(law.text() for law in describe_laws(system.fitted, model.data))
        table.add_row(share, format_nats(system.score), laws)
    if len(model.systems) > len(shown) and others_have >= LEAST_UNMET:
        others = len(model.systems) - len(shown)
        table.add_row(shares[-2], "", f"{others} {'others' if others > 1 else 'other'}")
    if unmet >= LEAST_UNMET:
        table.add_row(shares[-1], "", "laws that this search did not meet")
    return table


def write_remarks(model: ModelFields, fitted: Agreement, given: Agreement) -> Iterator[str]:
    """Sentences on errors, hidden speeds, starts, rivals and how the table was read."""
    laws = describe_laws(model.best, model.data)
    if any(row.std is not None for law in laws for row in law.constants):
        yield STANDARD_ERROR
    for name, rate in name_speeds(model.system, model.data.time).items():
        yield f"{name} is {rate}, which was not measured."
    yield from find_undetermined(model.best)
    yield (
        f"Noise is the standard deviation of one measurement{_describe_growth(model)}; effective rows tell of the rate "
        "independently of each other; the given start is the first measurement."
    )
    if math.isnan(given.total):
        yield "From the given start the states run away."
    elif fitted.total - given.total > APART:
        yield (
            "From the given start the laws follow the data worse than from the fitted one: the start is sensitive, or a "
            "fitted start makes up for what the laws lack."
        )
    former = name_delays(model.system, model.data.time)
    for line in model.remarks:
        # A name at the beginning stays as it is.
        is_name = line.partition(" ")[0].strip(":,") in model.system.columns
        yield f"{line.rstrip('.')}." if is_name else as_sentence(rename(line, former))
    for line in model.data.notes:
        yield as_sentence(line)


def _describe_growth(model: ModelFields) -> str:
    """A clause on states whose noise grows with them; empty for none."""
    growing = [s for s, mix in zip(model.data.states, model.best.measurement.mix, strict=False) if mix < CONSTANT]
    return f", that of {join_words(growing)} of a typical one, for it grows with the state" if growing else ""


def round_shares(weights: Sequence[float]) -> list[str]:
    """Shares that add to 1 as whole percentages that add to 100, by largest remainders."""
    parts = [100.0 * max(w, 0.0) / sum(weights) for w in weights]
    out = [math.floor(p) for p in parts]
    for k in sorted(range(len(parts)), key=lambda k: out[k] - parts[k])[: 100 - sum(out)]:
        out[k] += 1
    return [f"{n} %" if n or w <= 0 else "< 1 %" for n, w in zip(out, weights, strict=True)]


def make_rules_table(model: ModelFields) -> TextTable | None:
    """The rules of the knowledge and how the laws fare; None where there are none."""
    rows = model.settings.get("rules") or ()
    if not rows:
        return None
    table = TextTable()
    table.add_column("rule", wraps=True)
    table.add_column("the laws", wraps=True)
    for row in rows:
        held = f"hold at {row['points']} points"
        table.add_row(row["rule"], {PROVED: "proved", REFUTED: _describe_breach(row)}.get(row["level"], held))
    return table


def _describe_breach(row: Mapping[str, Any]) -> str:
    """Where the laws break a rule, and what the two sides of it are there."""
    at, sides = row.get("witness"), row.get("sides")
    if not at or not sides:
        return "broken"
    place = ", ".join(f"{name} = {format_number(value)}" for name, value in at.items())
    left, relation, right = sides
    return f"broken at {place}: {format_number(left)} is not {relation} {format_number(right)}"


def find_undetermined(fitted: Calibrated) -> list[str]:
    """Sentences on constants that the data do not determine, or only together with others."""
    names, covariance = name_parameters(fitted.system), np.asarray(fitted.covariance)
    std = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    open_ = ~np.isfinite(std) | (std > LOOSE * np.abs(fitted.system.parameters))
    groups: list[set[int]] = []
    fixed = np.flatnonzero(~open_ & (std > 0))
    for i, j in correlated(covariance[np.ix_(fixed, fixed)]):
        pair = {int(fixed[i]), int(fixed[j])}
        joined = [g for g in groups if g & pair]
        groups = [g for g in groups if not g & pair] + [pair.union(*joined)]
    together = describe_undetermined(names, covariance, [sorted(g) for g in sorted(groups, key=min)])
    alone = [names[i] for i in np.flatnonzero(open_)]
    return [*together, *([f"The data hardly determine {join_words(alone)}."] if alone else [])]


def print_report(model: ModelFields, stream: IO[str]) -> None:
    """Print laws, constants, states, rivals and remarks."""
    print_table(write_laws(model, stream), stream, bold=True)
    tables, remarks = _make_parts(model)
    for table in tables:
        print(file=stream)
        print_table(table, stream)
    if remarks:
        print(file=stream)
        print(wrap_sentences(remarks, stream), file=stream)


def write_report(model: ModelFields) -> str:
    """The same as plain text."""
    tables, remarks = _make_parts(model)
    parts = [write_laws(model), *map(as_text, tables), wrap_sentences(remarks)]
    return "\n\n".join(filter(None, parts))


def write_html(model: ModelFields) -> str:
    """The same for notebooks, laws as mathematics."""
    from hypo.report.display.html import write_page_of_laws

    laws = describe_laws(model.best, model.data)
    tables, remarks = _make_parts(model)
    return write_page_of_laws(
        [(law.latex, law.lettered_text if law.constants else law.text()) for law in laws],
        [t for t in tables if isinstance(t, TextTable)],
        remarks,
    )


def _make_parts(model: ModelFields) -> tuple[list[TextTable | str], list[str]]:
    laws = describe_laws(model.best, model.data)
    fitted, given = measure_agreement(model.best, model.data)
    tables: list[TextTable | str] = []
    constants = list_constants(laws)
    if constants:
        # Which constant is which: the laws once more, with letters.
        width = find_width()
        lettered = [law.lettered_text for law in laws if law.constants]
        tables.append("\n".join(fill(line, width, INDENT) for line in lettered))
        tables.append(make_constants_table(constants))
    tables.append(make_states_table(model, fitted, given))
    tables.append(make_rivals_table(model))
    if (rules := make_rules_table(model)) is not None:
        tables.append(rules)
    return tables, list(write_remarks(model, fitted, given))
