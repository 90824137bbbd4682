"""The record of a fit: all that a result knows of how it came about, and its form in ``result.json``, the manifest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hypo.errors import InputError
from hypo.failures import USERS, Failure
from hypo.likelihood.family import ColumnNoise, Family
from hypo.likelihood.registry import read_family
from hypo.result import entries
from hypo.result.entries import Damaged
from hypo.result.unit_system import StatedConstant, UnitSystem
from hypo.scoring.prior import Prior

# Entries of the settings that the table and the units of the fit have, in the order of the file; all others are the search's.
_OF_THE_TABLE = (
    "target",
    "features",
    "columns",
    "units",
    "scales",
    "ranges",
    "unit_note",
    "constants",
    "knowledge",
    "n_row",
    "n_dropped",
    "notes",
    "thousands",
    "sigma",
    "weights",
    "trials",
    "censored",
    "x_sigma",
    "y_sigma",
)
# Entries of the manifest that a record has a field for.
_OF_THE_MANIFEST = (
    "version",
    "seed",
    "data_sha256",
    "settings",
    "packages",
    "doubts",
    "guess",
    "selection",
    "prior",
    "failures",
)
# Entries that are left out where there is nothing to say.
_WHERE_THERE_IS_ONE = frozenset({"thousands", "guess", "selection", "prior", "failures"})
_ALWAYS_WRITTEN = {*_OF_THE_MANIFEST, *_OF_THE_TABLE} - _WHERE_THERE_IS_ONE


@dataclass(frozen=True)
class FittedTable:
    """The table of a fit, without its rows.

    Attributes
    ----------
    target, features
        The names of the target and of the columns that formulas could use.
    columns
        The names of all columns of the table, in its order; empty where an older version did not say.
    ranges
        The least and the largest value of each feature, in its unit.
    n_row, n_dropped
        How many rows the fit had, and how many were left out for a missing value; None where an older version did not say.
    notes
        Sentences on how the table was read, without full stops.
    thousands
        The mark between thousands that the user named.
    has_sigma, has_weights, has_trials, is_censored
        True if the target came with its noise, with weights, with numbers of trials, or with limits.
    x_sigma
        The noise of columns, by name, as root mean squares in their units; None where an older version does not say how large.
    y_sigma
        The noise of the target beside it, as root mean square in its unit.
    """

    target: str
    features: tuple[str, ...]
    columns: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    n_row: int | None = None
    n_dropped: int | None = None
    notes: tuple[str, ...] = ()
    thousands: str | None = None
    has_sigma: bool = False
    has_weights: bool = False
    has_trials: bool = False
    is_censored: bool = False
    x_sigma: Mapping[str, float | None] = field(default_factory=dict)
    y_sigma: float | None = None

    @property
    def order(self) -> tuple[str, ...]:
        """The columns of an array of new rows."""
        return self.columns or self.features

    @property
    def known_x_sigma(self) -> dict[str, float]:
        """The noise of the columns of which it is known, by name."""
        return {name: float(sigma) for name, sigma in self.x_sigma.items() if sigma is not None}

    def scaled(self, factor: Callable[[str], float]) -> FittedTable:
        """The same table with the numbers of each column, by its name, ``factor`` times as large."""
        return replace(
            self,
            ranges={n: (low * factor(n), high * factor(n)) for n, (low, high) in self.ranges.items()},
            x_sigma={n: None if s is None else s * factor(n) for n, s in self.x_sigma.items()},
            y_sigma=None if self.y_sigma is None else self.y_sigma * factor(self.target),
        )


@dataclass(frozen=True)
class SearchSettings:
    """The settings of a search as they were ``given``, by name, and those among them that a reader of its result asks for."""

    given: Mapping[str, Any]

    @cached_property
    def likelihood(self) -> Family:
        """The kind of distribution that targets have around the formula's values."""
        return read_family(self.given.get("likelihood"))

    @property
    def model_selection(self) -> str:
        """The criterion that the best formula was chosen by."""
        from hypo.search.model_selection import SCORE

        return str(self.given.get("model_selection", SCORE))

    @property
    def time_limit(self) -> float | None:
        """The time that the search was given [s]; None where a file lacks it."""
        limit: float | None = self.given.get("time_limit")
        return limit

    @property
    def max_complexity(self) -> float | None:
        """The most nodes of a formula; None where a file lacks them."""
        most: float | None = self.given.get("max_complexity")
        return most

    @property
    def has_profile_intervals(self) -> bool:
        """True if the intervals of constants are profile-likelihood ones."""
        from hypo.problem.problem import PROFILE

        return self.given.get("intervals") == PROFILE

    @property
    def wants_posterior(self) -> bool:
        """True if structures were to be weighed."""
        return bool(self.given.get("posterior"))

    @property
    def shard(self) -> tuple[int, int] | None:
        """The number of the shard that was searched, and of how many; None if all was."""
        match self.given.get("shard"):
            case [int(number), int(of)]:
                return number, of
        return None

    def changed(self, **entries: Any) -> SearchSettings:
        """The same settings but for these."""
        return SearchSettings({**self.given, **entries})


@dataclass(frozen=True)
class Record:
    """All that is needed to run a fit again and to read its result, and nothing that depends on when or where it ran.

    Attributes
    ----------
    version, seed, packages
        The version of hypo, the seed of the search, and the versions of the packages that the answer may depend on.
    data_sha256
        The checksum of the numbers of the table.
    table, units, knowledge, search
        The table, the units of formulas, the knowledge as :meth:`hypo.Knowledge.as_dict` gives it, and the settings.
    doubts
        Sentences on the answer, without full stops.
    guess
        The number, from 1 on, of the user's guess that is the answer.
    selection
        How the answer was chosen by validation.
    prior
        The prior of structures; None where they were not weighed, and in results of older versions.
    failures
        Unexpected errors of parts that were left out; a file does not hold their tracebacks.
    others
        Entries of the manifest that this version does not know.
    absent
        Names of entries that a file of an older version lacks; they are not written into it again.
    """

    version: str
    seed: int
    data_sha256: str
    table: FittedTable
    units: UnitSystem
    knowledge: Mapping[str, Any]
    search: SearchSettings
    packages: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    guess: int | None = None
    selection: Mapping[str, Any] | None = None
    prior: Prior | None = None
    failures: tuple[Failure, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    @cached_property
    def likelihood(self) -> Family:
        """The kind of distribution that targets have, with the errors of the columns where there are any."""
        known = self.table.known_x_sigma
        if not known or self.table.y_sigma is None:
            return self.search.likelihood
        return self.search.likelihood.with_column_noise(ColumnNoise(float(self.table.y_sigma), known))

    @property
    def max_complexity(self) -> float | None:
        """The most nodes that settings and knowledge allow a formula; None where neither says."""
        stated = (self.search.max_complexity, self.knowledge.get("grammar", {}).get("max_complexity"))
        return min((most for most in stated if most), default=None)

    def as_dict(self) -> dict[str, Any]:
        """The manifest, as ``result.json`` has it."""
        content = {
            "version": self.version,
            "seed": self.seed,
            "data_sha256": self.data_sha256,
            "settings": self.settings(),
            "packages": dict(self.packages),
            "doubts": list(self.doubts),
            "guess": self.guess,
            "selection": self.selection,
            "prior": None if self.prior is None else self.prior.as_dict(),
            "failures": [failure.as_dict() for failure in self.failures],
        }
        return self._without_empty(content) | dict(self.others)

    def settings(self) -> dict[str, Any]:
        """The settings, as the manifest has them: those of the table and its units, and those of the search."""
        table, units = self.table, self.units
        x_sigma = {name: table.x_sigma[name] for name in table.x_sigma}
        content = {
            "target": table.target,
            "features": list(table.features),
            "columns": list(table.columns),
            "units": dict(units.texts),
            "scales": dict(units.scales),
            "ranges": {name: list(ends) for name, ends in table.ranges.items()},
            "unit_note": units.note,
            "constants": dict(units.constants),
            "knowledge": dict(self.knowledge),
            "n_row": table.n_row,
            "n_dropped": table.n_dropped,
            "notes": list(table.notes),
            "thousands": table.thousands,
            "sigma": table.has_sigma,
            "weights": table.has_weights,
            "trials": table.has_trials,
            "censored": table.is_censored,
            "x_sigma": list(x_sigma) if None in x_sigma.values() else x_sigma,
            "y_sigma": table.y_sigma,
        }
        return self._without_empty(content) | dict(self.search.given)

    def _without_empty(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """``content`` without the entries that say nothing and that need not be there."""
        left_out = self.absent | _WHERE_THERE_IS_ONE
        return {name: value for name, value in content.items() if value or name not in left_out}

    @staticmethod
    def from_dict(manifest: Mapping[str, Any]) -> Record:
        """The record whose :meth:`as_dict` is ``manifest``; raises Damaged where an entry is missing or of another type."""
        settings = entries.read_table(manifest, "settings")
        knowledge = entries.read_table(settings, "knowledge", {})
        entries.read_table(knowledge, "grammar", {})
        table = _read_fitted_table(settings)
        return Record(
            version=entries.read_text(manifest, "version"),
            seed=entries.read_whole_number(manifest, "seed"),
            data_sha256=entries.read_text(manifest, "data_sha256"),
            table=table,
            units=_read_unit_system(settings, knowledge),
            knowledge=knowledge,
            search=_read_search_settings({n: v for n, v in settings.items() if n not in _OF_THE_TABLE}),
            packages=entries.read_table(manifest, "packages", {}),
            doubts=entries.read_texts(manifest, "doubts", []),
            guess=entries.read_optional_whole_number(manifest, "guess", None),
            selection=None if manifest.get("selection") is None else entries.read_table(manifest, "selection"),
            prior=_read_prior(manifest),
            failures=tuple(map(_read_failure, entries.read_tables(manifest, "failures", []))),
            others={name: value for name, value in manifest.items() if name not in _OF_THE_MANIFEST},
            absent=frozenset(_ALWAYS_WRITTEN - manifest.keys() - settings.keys()),
        )


def _read_fitted_table(settings: Mapping[str, Any]) -> FittedTable:
    features, columns = entries.read_texts(settings, "features"), entries.read_texts(settings, "columns", [])
    if columns and not set(features) <= set(columns):
        raise Damaged('the entry "columns" lacks a feature')
    x_sigma: Mapping[str, float | None]
    if isinstance(settings.get("x_sigma"), list):
        # Results of older versions name the columns alone.
        x_sigma = dict.fromkeys(entries.read_texts(settings, "x_sigma"))
    else:
        x_sigma = dict(entries.read_number_table(settings, "x_sigma", {}))
        if x_sigma:
            entries.read_number(settings, "y_sigma")
    return FittedTable(
        target=entries.read_text(settings, "target"),
        features=features,
        columns=columns,
        ranges=entries.read_pair_table(settings, "ranges", {}),
        n_row=entries.read_optional_whole_number(settings, "n_row", None),
        n_dropped=entries.read_optional_whole_number(settings, "n_dropped", None),
        notes=entries.read_texts(settings, "notes", []),
        thousands=entries.read_text(settings, "thousands", "") or None,
        has_sigma=entries.read_flag(settings, "sigma", False),
        has_weights=entries.read_flag(settings, "weights", False),
        has_trials=entries.read_flag(settings, "trials", False),
        is_censored=entries.read_flag(settings, "censored", False),
        x_sigma=x_sigma,
        y_sigma=entries.read_optional_number(settings, "y_sigma", None),
    )


def _read_unit_system(settings: Mapping[str, Any], knowledge: Mapping[str, Any]) -> UnitSystem:
    scales = entries.read_number_table(settings, "scales")
    if not all(0 < factor < math.inf for factor in scales.values()):
        raise Damaged('a member of the entry "scales" is not above 0')
    stated = entries.read_table(knowledge, "constants", {})
    return UnitSystem(
        target=entries.read_text(settings, "target"),
        texts=entries.read_text_table(settings, "units"),
        scales=scales,
        constants=entries.read_number_table(settings, "constants"),
        stated={name: _read_stated_constant(entries.read_table(stated, name)) for name in stated},
        has_strict_angles=bool(entries.read_table(knowledge, "units", {}).get("strict_angles", False)),
        note=entries.read_text(settings, "unit_note", ""),
    )


def _read_stated_constant(content: Mapping[str, Any]) -> StatedConstant:
    return StatedConstant(entries.read_number(content, "value"), entries.read_text(content, "unit"))


def _read_search_settings(given: Mapping[str, Any]) -> SearchSettings:
    for name in ("max_complexity", "time_limit", "lam"):
        entries.read_optional_number(given, name, None)
    entries.read_text(given, "model_selection", "")
    if given.get("likelihood") is not None:
        try:
            read_family(entries.read_table(given, "likelihood"))
        except InputError as error:
            raise Damaged(f"its likelihood cannot be used: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged('the entry "likelihood" names none') from error
    return SearchSettings(given)


def _read_prior(manifest: Mapping[str, Any]) -> Prior | None:
    if manifest.get("prior") is None:
        return None
    content = entries.read_table(manifest, "prior")
    try:
        prior = Prior.read(content)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged('the entry "prior" has the wrong form') from error
    counts = (prior.leaves, prior.unary, prior.binary, prior.largest)
    if prior.symbols < 2 or prior.leaves <= 0 or not all(0 <= c < math.inf for c in counts):
        raise Damaged('the entry "prior" has counts that no grammar has')
    if any(math.isnan(length) for length in prior.code_lengths.values()):
        raise Damaged('a member of the entry "code_lengths" is not a number')
    return prior


def _read_failure(content: Mapping[str, Any]) -> Failure:
    part, error, where = (entries.read_text(content, name) for name in ("part", "error", "where"))
    return Failure(part, error, where, theirs=content.get("whose") == USERS)
