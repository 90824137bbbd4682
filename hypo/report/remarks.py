"""A result in words: its constants, how the search ended, what it covered, and doubts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from hypo.expression.printing import shortened
from hypo.failures import DEBUG, FAILURES_FILE
from hypo.report import tables
from hypo.report.constants import describe_undetermined
from hypo.report.coverage import describe_coverage
from hypo.report.formatting import format_nats, format_r2
from hypo.report.rivals import describe_rivals, make_rivals_table
from hypo.report.rules import explain_pruned, explain_tight_rules, make_rules_table
from hypo.report.sentences import STAND_IN, STANDARD_ERROR, as_sentence

if TYPE_CHECKING:
    from hypo.failures import Failure
    from hypo.report.layout import TextTable
    from hypo.result.fields import ResultFields


# A search that looked through formulas of so many nodes and found nothing was not too short: there may be nothing to find.
ENOUGH = 9


def summarize(result: ResultFields) -> str:
    """The result in one line: the law, how well it fits, and how the search ended."""
    if result.best is None:
        return f"for {result.target}: no formula, {result.status}"
    h, many = result.best, len(result.front)
    fits = f"score {format_nats(h.score)}, R² {format_r2(h.r2)}"
    front = f"front of {many} formula{'s' * (many != 1)}"
    return f"{shortened(tables.write_equation(h, result.target))}; {fits}; {front}, {result.status}"


def constant_lines(result: ResultFields) -> list[str]:
    """:meth:`hypo.Result.constant_lines`."""
    if result.best is None:
        return []
    rows, named = result.constants[result.front.index(result.best)], result.record.units.constants
    intervals, names = result.record.search.has_profile_intervals, result.record.guess is not None
    return tables.write_constant_lines(rows, named, intervals=intervals, names=names)


def make_tables_below(result: ResultFields) -> list[TextTable]:
    """The tables below the front: rivals of the formula where the rows do not settle it, and the rules."""
    rivals = (
        None
        if result.posterior is None
        else make_rivals_table(result.posterior, result.record.table.n_row, result.target)
    )
    return [*([] if rivals is None else [rivals]), *([make_rules_table(result.rules)] if result.rules else [])]


def remarks(result: ResultFields) -> list[str]:
    """:meth:`hypo.Result.remarks`."""
    table, units = result.record.table, result.record.units
    notes = [units.note, *table.notes, *result.record.doubts]
    words = result.family.words
    return [
        *([STANDARD_ERROR] if any("±" in line for line in constant_lines(result)) else []),
        as_sentence(result.message),
        *_explain_marks(result),
        *([as_sentence(words)] if words else []),
        *_remark_on_weights(result),
        describe_coverage(asdict(result.coverage), units.has_target_unit),
        *([STAND_IN] if words or table.is_censored or table.x_sigma else []),
        *_explain_selection(result),
        *_remark_on_undetermined(result),
        *filter(None, [explain_pruned(result.rules)]),
        *explain_tight_rules(result.rules, result.target),
        *(as_sentence(note) for note in notes if note),
        *_remark_on_failures(result),
    ]


def _remark_on_failures(result: ResultFields) -> list[str]:
    """Sentences on parts that were left out because of an unexpected error, and how to have it mended."""
    failures = result.record.failures
    theirs = [f for f in failures if f.theirs]
    own = [f for f in failures if not f.theirs]
    said = [
        f"Your function for {f.part} failed ({_describe_failure(f)}) and was not called again; all else went on without it."
        for f in theirs
    ]
    if not own:
        return said
    where = (f"{f.part} ({_describe_failure(f)})" for f in own)
    return [
        *said,
        f"An unexpected error ended {'; '.join(where)}; all else went on without it.",
        f"That is a bug in hypo {result.record.version}: please report it, with the file {FAILURES_FILE} beside "
        f"the result, or with what {DEBUG}=1 shows.",
    ]


def _describe_failure(f: Failure) -> str:
    return f"{f.error}{', in ' + f.where if f.where else ''}"


def _explain_marks(result: ResultFields) -> list[str]:
    """The meaning of the mark of formulas beyond the best score, where there are any."""
    known = tables.count_believed(result.front)
    beyond = result.front[known:]
    if not beyond:
        return []
    behind = min(h.score for h in beyond) - result.front[known - 1].score
    least = f"{format_nats(behind)} nats behind" + (" at least" if len(beyond) > 1 else "")
    return [
        "Formulas marked ~ come closer to the rows, but not by as much as they are longer: the score does not believe them "
        f"({least})."
    ]


def _remark_on_weights(result: ResultFields) -> list[str]:
    """How sure the structure is. Weights among what was met say nothing where nothing was."""
    if note := explain_short_search(result):
        return [note]
    if result.expression is None or not result.coverage.scored:
        return []
    if not min(result.front, key=lambda h: h.score).expression.variables:
        return ["Nothing was found that does better than a constant."]
    if result.posterior is not None:
        return [describe_rivals(result.posterior, result.record.table.n_row)]
    if result.record.search.wants_posterior and result.status not in ("exact", "interrupted"):
        return ["No structure could be weighed, so there are no intervals of predictions."]
    return []


def explain_short_search(result: ResultFields) -> str:
    """A sentence on a search that its time limit ended before anything better than a constant was found, and before formulas
    of ``ENOUGH`` nodes were looked through; else empty."""
    if result.status != "time_limit" or not result.front:
        return ""
    # All pairs of what was enumerated were tried.
    looked_through = 2 * result.coverage.complete_to + 1 if result.coverage.complete_to else 0
    if looked_through >= min(ENOUGH, result.record.max_complexity or ENOUGH):
        return ""
    if min(result.front, key=lambda h: h.score).expression.variables:
        return ""
    return (
        f"Nothing better than a constant was found within the time limit{_name_time_limit(result)}: allow more time, unless "
        "the columns say nothing of the target."
    )


def _name_time_limit(result: ResultFields) -> str:
    """The time limit of the search, as the end of a phrase; a result file may lack it."""
    limit = result.record.search.time_limit
    return "" if limit is None else f" of {limit:g} s"


def _remark_on_undetermined(result: ResultFields) -> list[str]:
    """Sentences on constants of the best formula that the data determine together only."""
    from hypo.posterior.laplace import correlated

    structures = () if result.posterior is None else result.posterior.structures
    own = next((s for s in structures if s.expression == result.expression), None)
    if own is None or result.best is None or not own.constants:
        return []
    known = result.record.units.constants
    fitted = [c for c in result.constants[result.front.index(result.best)] if c.name not in known]
    covariance = np.array(own.covariance)
    if len(fitted) != len(covariance):
        return []
    # Those without a standard error are not determined at all.
    alone = [i for i, c in enumerate(fitted) if c.std is None]
    pairs = correlated(covariance)
    groups = [*pairs, *((i,) for i in alone if not any(i in pair for pair in pairs))]
    return describe_undetermined([c.name for c in fitted], covariance, groups)


def _explain_selection(result: ResultFields) -> list[str]:
    """How the formula was chosen where it was not by its score, in a sentence."""
    from hypo.search.model_selection import SCORE

    by = result.record.search.model_selection
    if result.best is None or by == SCORE:
        return []
    least = min(result.front, key=lambda h: h.score)
    note = (result.record.selection or {}).get("note")
    other = "" if least == result.best else f"; the score prefers {least.expression.pretty()}"
    words = {"posterior": "the likeliest structure", "accuracy": "the least misfit on the front"}
    return [as_sentence((note or f"chosen as {words.get(by, by)}") + other)]
