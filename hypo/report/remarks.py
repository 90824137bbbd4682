"""What a result says of itself in words: its constants, how the search ended, what it covered, and doubts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from hypo.failures import DEBUG, FAILURES_FILE
from hypo.report import tables
from hypo.report.constants import undetermined
from hypo.report.rules import over_tight, pruned_note

if TYPE_CHECKING:
    from hypo.result import Result


def constant_lines(result: Result) -> list[str]:
    """:meth:`hypo.Result.constant_lines`."""
    if result.best is None:
        return []
    rows, named = result.constants[result.front.index(result.best)], result.settings["constants"]
    return tables.constant_lines(rows, named, intervals=result.settings.get("intervals") == "profile")


def remarks(result: Result) -> list[str]:
    """:meth:`hypo.Result.remarks`."""
    settings = result.settings
    notes = [settings.get("unit_note", ""), *settings.get("notes", ()), *result.manifest.get("doubts", ())]
    words = result.family.words
    return [
        tables.sentence(result.message),
        *([tables.sentence(words)] if words else []),
        *_weights(result),
        tables.coverage_sentence(asdict(result.coverage), result.target in settings["units"]),
        *([tables.STAND_IN] if words or settings.get("censored") or settings.get("x_sigma") else []),
        *_chosen(result),
        *_undetermined(result),
        *filter(None, [pruned_note(result.rules)]),
        *over_tight(result.rules, result.target),
        *(tables.sentence(note) for note in notes if note),
        *_failed(result),
    ]


def _failed(result: Result) -> list[str]:
    """What was left out because of an unexpected error, and how to have it mended."""
    failures = result.manifest.get("failures", ())
    if not failures:
        return []
    where = (f"{f['part']} ({f['error']}{', in ' + f['where'] if f['where'] else ''})" for f in failures)
    return [
        f"An unexpected error ended {'; '.join(where)}; all else went on without it.",
        f"That is a bug in hypo {result.manifest.get('version', '')}: please report it, with the file {FAILURES_FILE} beside "
        f"the result, or with what {DEBUG}=1 shows.",
    ]


def _weights(result: Result) -> list[str]:
    """How sure the structure is. Weights among what was met say nothing where nothing was."""
    if result.expression is None or not result.coverage.scored:
        return []
    if not min(result.front, key=lambda h: h.score).expression.variables:
        return ["Nothing was found that does better than a constant."]
    if result.posterior is not None:
        return tables.posterior_sentences(result.posterior)
    if result.settings.get("posterior") and result.status not in ("exact", "interrupted"):
        return ["No structure could be weighed, so there are no intervals of predictions."]
    return []


def _undetermined(result: Result) -> list[str]:
    """Sentences on constants of the best formula that the data determine together only."""
    from hypo.scoring.laplace import correlated

    structures = () if result.posterior is None else result.posterior.structures
    own = next((s for s in structures if s.expression == result.expression), None)
    if own is None or result.best is None or not own.constants:
        return []
    names = [c.name for c in result.constants[result.front.index(result.best)] if c.std is not None]
    covariance = np.array(own.covariance)
    return undetermined(names, covariance, correlated(covariance)) if len(names) == len(covariance) else []


def _chosen(result: Result) -> list[str]:
    """How the formula was chosen where it was not by its score, in a sentence."""
    by = result.settings.get("model_selection", "score")
    if result.best is None or by == "score":
        return []
    least = min(result.front, key=lambda h: h.score)
    note = result.manifest.get("selection", {}).get("note")
    other = "" if least == result.best else f"; the score prefers {least.expression.pretty()}"
    words = {"posterior": "the likeliest structure", "accuracy": "the least misfit on the front"}
    return [tables.sentence((note or f"chosen as {words.get(by, by)}") + other)]
