"""``hypo.merge``: one result from those of the shards of a fit."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypo.api.shards import Shard, arrange, list_missing
from hypo.errors import InputError
from hypo.keywords import check_keywords
from hypo.report.coverage import Coverage
from hypo.report.rules import RuleRow
from hypo.result.file import jsonable
from hypo.result.folders import Destination
from hypo.result.result import Result

if TYPE_CHECKING:
    from hypo.failures import Failure
    from hypo.result.record import Record
    from hypo.scoring.prior import Prior

_ENDED = {"interrupted": "interrupted by the user", "time_limit": "cut short by the time limit"}


@check_keywords(name="hypo.merge")
def merge(*results: Any, out: str | os.PathLike[str] | Destination | None = None, overwrite: bool = False) -> Result:
    """Join the results of ``fit(…, shard="1/n")`` to ``fit(…, shard="n/n")``.

    The front is the Pareto front of all their formulas. What every shard did by itself is vouched for by the one that got
    farthest (``coverage.complete_to``, ``distinct``); ``coverage.scored`` adds up what they scored. Missing shards are named
    in ``message``.

    Args:
        results: results, or folders that hold one; also as one list.
        out: folder for ``result.json`` and ``front.csv``; nothing is written by default.
        overwrite: whether ``out`` may hold the result of other data, which is lost then.

    Raises:
        InputError: there is no result in a folder, it is of no shard, a shard is there twice, or the results are of
            different data, settings or versions; the message names both folders.
    """
    if len(results) == 1 and isinstance(results[0], list | tuple):
        results = tuple(results[0])
    place = out if isinstance(out, Destination) or out is None else Destination(Path(out), overwrite=overwrite)
    for k, given in enumerate(results, 1):
        if not isinstance(given, Result | str | os.PathLike):
            raise InputError(f"number {k} of what is to be merged is neither a result nor a folder: {given!r}")
        if (
            place is not None
            and not isinstance(given, Result)
            and os.path.abspath(given) == os.path.abspath(place.folder)
        ):
            raise InputError(f"{place.folder} holds one of the shards; write the merged result to another folder")
    if place is not None:
        place.check()
    if not results:
        raise InputError("there is nothing to merge: give the results of the shards")
    shards = arrange((_read_shard(r, f"result {k}") for k, r in enumerate(results, 1)), "fit", _difference)
    if place is not None:
        place.settle(shards[0].found.record.data_sha256)
    merged = _merge_results(shards)
    # Who gave a destination writes to it.
    if place is not None and place is not out:
        place.write(merged)
        for text in place.notes:
            warnings.warn(text, RuntimeWarning, stacklevel=2)
    return merged


def _read_shard(given: Result | str | os.PathLike[str], name: str) -> Shard[Result]:
    result = given if isinstance(given, Result) else Result.load(given)
    source = name if isinstance(given, Result) else os.fspath(given)
    if result.record.search.shard is None:
        raise InputError(f"{source} is not the result of a shard; run hypo fit with --shard, such as --shard 1/4")
    return Shard(*result.record.search.shard, result, result.record.data_sha256, source)


def _difference(one: Result, two: Result) -> str | None:
    """Where shards are not of one search, in words."""
    first, second = one.record, two.record
    if first.version != second.version:
        return f"are of different versions of hypo, {first.version} and {second.version}"
    ours, theirs = _shared_settings(first), _shared_settings(second)
    key = next((key for key, value in ours.items() if theirs.get(key) != value), None)
    return None if key is None else f"differ in the setting {key} ({ours[key]!r} and {theirs.get(key)!r})"


def _shared_settings(record: Record) -> dict[str, Any]:
    return dict(jsonable({"seed": record.seed, **{k: v for k, v in record.settings().items() if k != "shard"}}))


def _merge_results(shards: Sequence[Shard[Result]]) -> Result:
    from hypo.fitting.archive import find_front
    from hypo.posterior.posterior import ExploredSpace, join, weighted
    from hypo.posterior.shards import shards_agree
    from hypo.search.model_selection import select_best

    results = [s.found for s in shards]
    missing = list_missing(shards)
    farthest = max(results, key=lambda r: r.coverage.complete_to).coverage
    found = [(h, c) for r in results for h, c in zip(r.front, r.constants, strict=True)]
    constants = {id(h): c for h, c in found}
    # Each shard has left out what its rows cannot bear.
    front = find_front((h for h, _ in found), 0 if any(r.status == "exact" for r in results) else math.inf)
    by = results[0].record.search.model_selection
    posterior = join(
        [r.posterior for r in results if r.posterior is not None], results[0].features, farthest.complete_to
    )
    weighing = {s.number: s.found.posterior for s in shards if s.found.posterior is not None}
    if posterior is not None and (chain := shards_agree(weighing, posterior)) is not None:
        explored = ExploredSpace(farthest.complete_to, chain=chain)
        posterior = weighted(posterior.structures, results[0].features, explored=explored)
    if posterior is not None:
        posterior = replace(posterior, unearned=_explain_unearned(shards, missing, posterior.chain))
    bests = [r.best for r in results if r.best is not None]
    best = select_best(by, bests, posterior)
    if best is not None and best not in front:
        front = tuple(sorted((*front, best), key=lambda h: (h.complexity, -h.score)))
    finder = next((r for r in results if best is not None and r.best is best), results[0])
    totals = [r.timing.get("total", 0.0) for r in results]
    return Result(
        best=best,
        front=front,
        status=_status(finder, results),
        message=_message(shards, missing, finder.status == "exact"),
        coverage=Coverage(farthest.complete_to, sum(r.coverage.scored for r in results), farthest.distinct),
        efficiency=finder.efficiency,
        timing={"total": max(totals), "sum": sum(totals), "shards": {str(s.number): s.found.timing for s in shards}},
        record=replace(
            finder.record,
            prior=finder.record.prior if posterior is None else _join_priors(results),
            failures=_failures(results),
            search=finder.record.search.changed(shard=None, shards=_shards(shards, missing)),
        ),
        constants=tuple(constants[id(h)] for h in front),
        rules=_rules([r.rules for r in results], finder.rules),
        posterior=posterior,
        data=finder.data,
    )


def _join_priors(results: Sequence[Result]) -> Prior | None:
    """The prior of the shards, with the code lengths of the structures of all; None where none of them has one."""
    priors = [r.record.prior for r in results if r.record.prior is not None]
    lengths = {formula: length for prior in priors for formula, length in prior.code_lengths.items()}
    return replace(priors[0], code_lengths=lengths) if priors else None


def _failures(results: Sequence[Result]) -> tuple[Failure, ...]:
    """All that failed in any of the shards, once each."""
    return tuple(dict.fromkeys(f for r in results for f in r.record.failures))


def _rules(each: Sequence[Sequence[RuleRow]], finders: Sequence[RuleRow]) -> tuple[RuleRow, ...]:
    """How the best formula fares, as its shard says; what was tried and broken, of all shards. What a rule changed is not known
    of all of them together."""
    out = []
    for k, row in enumerate(finders):
        same = [rows[k] for rows in each if len(rows) == len(finders)]
        # Every shard enumerates the whole library.
        pruned = max((r.pruned for r in same), default=0)
        out.append(replace(row, tried=sum(r.tried for r in same), broken=sum(r.broken for r in same), pruned=pruned))
    return tuple(out)


def _status(finder: Result, results: Sequence[Result]) -> str:
    """``exact`` if the best formula is; else what cut a shard short cut the whole short."""
    if finder.status == "exact":
        return finder.status
    return next(
        (s for s in _ENDED if any(r.status == s for r in results)), "complete" if finder.best else "nothing_found"
    )


def _shards(shards: Sequence[Shard[Result]], missing: Sequence[int]) -> dict[str, Any]:
    return {"of": shards[0].of, "merged": [s.number for s in shards], "missing": list(missing)}


def _message(shards: Sequence[Shard[Result]], missing: Sequence[int], exact: bool) -> str:
    """How the shards' searches ended, and which are missing, in one sentence."""
    of = shards[0].of
    parts = [f"merged from {len(shards)} of {of} shards"]
    if missing:
        parts.append(f"{_name_shards(missing)} of {of} {'is' if len(missing) == 1 else 'are'} missing")
    if exact:
        parts.append("the formula meets every row to rounding")
    for status, words in _ENDED.items():
        ended = [s.number for s in shards if s.found.status == status]
        if ended:
            parts.append(f"{_name_shards(ended)} {'was' if len(ended) == 1 else 'were'} {words}")
    return "; ".join(parts)


def _explain_unearned(shards: Sequence[Shard[Result]], missing: Sequence[int], chain: Mapping[str, Any] | None) -> str:
    """Why the joint weights are not earned: for a shard that is missing, for what one of the others says, or for what the
    chains of all say together."""
    if missing:
        what = "is" if len(missing) == 1 else "are"
        return f"the search was too short to weigh rivals: {_name_shards(missing)} {what} missing; merge all of them"
    each = (s.found.posterior.unearned for s in shards if s.found.posterior is not None)
    if reason := next(filter(None, each), ""):
        return reason
    if chain is not None and not chain["mixed"]:
        return f"the search was too short to weigh rivals: {chain['verdict']}; more time would help"
    return ""


def _name_shards(numbers: Sequence[int]) -> str:
    """``shard 2``, ``shards 2 and 5``, ``shards 2, 5 and 7``."""
    if len(numbers) == 1:
        return f"shard {numbers[0]}"
    return f"shards {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
