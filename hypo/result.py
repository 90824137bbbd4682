"""The result of a search: the best formula, the front, and how far the search can be trusted."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from hypo.data import Table
from hypo.data.choice import numbers
from hypo.errors import DataError, HypoError, InputError
from hypo.report import tables
from hypo.report.constants import ConstantRow, undetermined
from hypo.report.predictions import new_columns
from hypo.report.rules import RuleRow, over_tight, rules_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hypo.data import Dataset
    from hypo.expression.expr import Expression
    from hypo.scoring.posterior import Posterior
    from hypo.scoring.predictive import Prediction
    from hypo.scoring.score import Hypothesis

SCHEMA = "hypo-result/1"
RESULT_FILE = "result.json"
FRONT_FILE = "front.csv"
PLOT_FILE = "plot.png"
# Predictions average over the structures that have this share of the posterior.
AVERAGED = 0.99

_FIGURES = ("misfit", "complexity_cost", "violation", "score", "r2", "rmse")


@dataclass(frozen=True)
class Coverage:
    """The certificate: all ``distinct`` formulas without fitted constants of up to ``complete_to`` nodes
    were among the ``scored`` hypotheses.
    """

    complete_to: int
    scored: int
    distinct: int


@dataclass(frozen=True)
class Efficiency:
    """``outcome``: share of the work done when the answer first appeared; ``diversity``: share of the
    enumerated formulas that were distinct.
    """

    outcome: float
    diversity: float


@dataclass(frozen=True)
class Result:
    """What :func:`hypo.fit` returns, and what ``result.json`` holds.

    ``front`` has rising complexity and falling score; ``best`` is its member of least score, None when
    nothing was found. ``status`` is ``exact``, ``complete``, ``time_limit``, ``interrupted`` or
    ``nothing_found``, and ``message`` says the same in a sentence. ``manifest["settings"]`` names the
    target, the columns with their units, and the factors (``scales``) from the user's numbers to the
    numbers in the formulas. ``rules`` says of each rule of the knowledge how ``best`` fares and what it did to others.
    ``posterior`` weighs all structures that the search kept; None where the rows are too few for it, and in results of
    older versions.
    """

    best: Hypothesis | None
    front: tuple[Hypothesis, ...]
    status: str
    message: str
    coverage: Coverage
    efficiency: Efficiency
    timing: dict[str, Any]
    manifest: dict[str, Any]
    constants: tuple[tuple[ConstantRow, ...], ...]
    rules: tuple[RuleRow, ...] = ()
    posterior: Posterior | None = None
    data: Dataset | None = field(default=None, compare=False, repr=False)

    # --- the formula -------------------------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the manifest."""
        settings: dict[str, Any] = self.manifest["settings"]
        return settings

    @property
    def target(self) -> str:
        """Name of the target."""
        return str(self.settings["target"])

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns the formulas could use."""
        return tuple(self.settings["features"])

    @property
    def expression(self) -> Expression | None:
        """The best formula, None when nothing was found."""
        return None if self.best is None else self.best.expression

    def _found(self, index: int | None = None) -> Hypothesis:
        if index is not None and not -len(self.front) <= index < len(self.front):
            raise InputError(f"the front has {len(self.front)} formulas, so there is no number {index}")
        chosen = self.best if index is None else self.front[index]
        if chosen is None:
            raise HypoError(
                "the search found no formula, so there is nothing to work with: allow more time or operators"
            )
        return chosen

    def sympy(self, index: int | None = None) -> Any:
        """The best formula, or number ``index`` of the front, as a sympy expression."""
        return self._found(index).expression.sympy()

    def latex(self, index: int | None = None) -> str:
        """LaTeX source of the best formula, or of number ``index`` of the front."""
        return self._found(index).expression.latex()

    @overload
    def predict(
        self, data: Any, index: int | None = None, *, return_std: Literal[False] = False, interval: None = None
    ) -> NDArray[np.float64]: ...

    @overload
    def predict(
        self, data: Any, index: int | None = None, *, return_std: bool = False, interval: float | None = None
    ) -> NDArray[np.float64] | Prediction: ...

    def predict(
        self, data: Any, index: int | None = None, *, return_std: bool = False, interval: float | None = None
    ) -> NDArray[np.float64] | Prediction:
        """The target, in its own unit, for new rows; NaN where the formula is undefined.

        Args:
            data: an array (n_row, n_col) with the columns of the fit in their order (or (n_row,) if there
                is one), a DataFrame or mapping with those columns by name, or the path of a CSV file. Where
                a header states another unit than the fit's, the numbers are converted.
            index: which formula of the front; the best one by default.
            return_std: average over the posterior instead, and say how sure it is.
            interval: the same; probability that the interval of each row holds the target, 0.9 by default.

        Returns:
            shape (n_row,); with ``return_std`` or ``interval`` a :class:`~hypo.scoring.predictive.Prediction`: the mean over
            structures and constants, standard deviation and interval (noise of one row included), and the parts of the
            standard deviation that noise, constants and structures have.

        Raises:
            DataError: a column that the formula needs is missing, or the shape is wrong.
            HypoError: the search found no formula.
            InputError: an interval is wanted of one formula of the front, or of a result without a posterior.
        """
        if return_std or interval is not None:
            return self._predictive(data, index, 0.9 if interval is None else interval)
        from hypo.expression.evaluate import evaluate

        chosen = self._found(index).expression
        X = self._columns(data, chosen.variables)
        scales = self.settings["scales"]
        factors = np.array([scales.get(name, 1.0) for name in chosen.variables])
        return evaluate(chosen, X * factors, chosen.variables) / float(scales.get(self.target, 1.0))

    def _predictive(self, data: Any, index: int | None, level: float) -> Prediction:
        """:meth:`predict` under the posterior."""
        from hypo.scoring.predictive import predictive

        self._found()
        if index is not None:
            raise InputError("intervals average over all structures of the posterior: leave out the index")
        if not 0.0 < level < 1.0:
            raise InputError(f"the probability of an interval must be between 0 and 1, got {level!r}")
        if self.posterior is None:
            raise InputError("this result has no posterior (too few rows, or an older version): there are no intervals")
        structures = self.posterior.top(AVERAGED)
        needed = tuple(dict.fromkeys(name for s in structures for name in s.expression.variables))
        scales = self.settings["scales"]
        X = self._columns(data, needed) * np.array([scales.get(name, 1.0) for name in needed])
        found = predictive(structures, np.ascontiguousarray(X.T), needed, level)
        return found.scaled(1.0 / float(scales.get(self.target, 1.0)))

    def _columns(self, data: Any, needed: Sequence[str]) -> NDArray[np.float64]:
        """The columns ``needed`` of ``data``, shape (n_row, len(needed))."""
        if isinstance(data, str | os.PathLike | Mapping | Table) or hasattr(data, "columns"):
            return new_columns(data, needed, self.settings["units"])
        X = numbers("X", data)
        order = self.settings.get("columns") or self.features
        if X.ndim == 1 and len(order) == 1:
            X = X[:, None]
        if X.ndim != 2 or X.shape[1] != len(order):
            raise DataError(
                f"expected an array of shape (n_row, {len(order)}) with the columns {', '.join(order)}, "
                f"got shape {X.shape}"
            )
        return X[:, [order.index(name) for name in needed]]

    def plot(self, path: str | os.PathLike[str] | None = None, data: Dataset | None = None) -> Figure:
        """A figure with the law over the data and the front; also written to ``path`` when given.

        The data are those of the fit; a loaded result has none, so give ``data`` or get the front alone.
        """
        from hypo.report.plot import Observed, draw

        best = self._found()
        rows = data or self.data
        observed = None
        if rows is not None:
            columns = tuple(name for name in rows.names if name in self.features)
            X = rows.X[:, [rows.names.index(name) for name in columns]]

            def law(points: NDArray[np.float64]) -> NDArray[np.float64]:
                return self.predict(dict(zip(columns, points.T, strict=True)))

            observed = Observed(X, rows.y, columns, self.settings["units"], law)
        figure = draw(self.front, best, self.target, observed)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    # --- in and out --------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The content of ``result.json``; None stands for NaN and infinities."""
        rows = [
            {**hypothesis_row(h, c), "origin": h.origin} for h, c in zip(self.front, self.constants, strict=True)
        ]
        best = None if self.best is None else rows[self.front.index(self.best)]
        return jsonable(
            {
                "schema": SCHEMA,
                "status": {"code": self.status, "message": self.message},
                "best": best,
                "front": rows,
                "coverage": asdict(self.coverage),
                "efficiency": asdict(self.efficiency),
                "rules": [row.as_dict() for row in self.rules],
                "posterior": [] if self.posterior is None else [s.as_dict() for s in self.posterior.structures],
                "inclusion": None if self.posterior is None else self.posterior.summary(),
                "timing": self.timing,
                "manifest": self.manifest,
            }
        )

    def to_json(self) -> str:
        """The text of ``result.json``."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def front_csv(self) -> str:
        """The text of ``front.csv``: one line per formula, numbers in full precision."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("best", "complexity", *_FIGURES, "expression", "pretty", "origin"))
        for h in self.front:
            figures = [repr(float(getattr(h, name))) for name in _FIGURES]
            writer.writerow(
                (
                    int(h == self.best),
                    tables.number(h.complexity),
                    *figures,
                    str(h.expression),
                    h.expression.pretty(),
                    h.origin,
                )
            )
        return stream.getvalue()

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``result.json`` and ``front.csv``; raises InputError as :func:`check_folder` does."""
        folder = check_folder(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / FRONT_FILE, self.front_csv())
            write_text(folder / RESULT_FILE, self.to_json())
        except OSError as error:
            raise InputError(f"cannot write to {folder}: {error.strerror or error}") from error
        return folder

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> Result:
        """The result saved in ``folder``, or in a ``result.json``; raises InputError when there is none."""
        path = Path(folder)
        if path.is_dir():
            path = path / RESULT_FILE
        content = _read(path)
        try:
            return from_dict(content)
        except _Damaged as error:
            raise InputError(f"{path} is damaged ({error}); run hypo fit again") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{path} is damaged (an entry has the wrong form); run hypo fit again") from error

    # --- for people --------------------------------------------------------------------------------------

    def constant_lines(self) -> list[str]:
        """The fitted constants of the best formula that have a known unit or a standard error, one line each."""
        if self.best is None:
            return []
        rows, named = self.constants[self.front.index(self.best)], self.settings["constants"]
        return tables.constant_lines(rows, named, intervals=self.settings.get("intervals") == "profile")

    def _doubts(self) -> list[str]:
        """Sentences on constants of the best formula that the data determine together only."""
        from hypo.scoring.laplace import correlated

        own = next((s for s in self.posterior.structures if s.expression == self.expression), None) if self.posterior else None
        if own is None or self.best is None or not own.constants:
            return []
        names = [c.name for c in self.constants[self.front.index(self.best)] if c.std is not None]
        covariance = np.array(own.covariance)
        return undetermined(names, covariance, correlated(covariance)) if len(names) == len(covariance) else []

    def remarks(self) -> list[str]:
        """How the search ended, what it covered, and notes on data and units, one sentence each."""
        notes = [self.settings.get("unit_note", ""), *self.settings.get("notes", ())]
        return [
            tables.sentence(self.message),
            *([] if self.posterior is None else [tables.rivals_sentence(self.posterior)]),
            tables.coverage_sentence(asdict(self.coverage), self.target in self.settings["units"]),
            *self._doubts(),
            *over_tight(self.rules, self.target),
            *(tables.sentence(note) for note in notes if note),
        ]

    def __str__(self) -> str:
        if self.best is None:
            return "\n".join(self.remarks())
        front = tables.as_text(tables.front_table(self.front, self.best, self.target))
        law = [tables.equation(self.best, self.target), *self.constant_lines()]
        rules = [tables.as_text(rules_table(self.rules)), ""] if self.rules else []
        return "\n".join([*law, "", front, "", *rules, *self.remarks()])

    def _repr_html_(self) -> str:
        return tables.front_html(self.front, self.best, self.target)

    def _repr_latex_(self) -> str | None:
        return None if self.best is None else f"${self.target} = {self.best.expression.latex()}$"


# --- parts -------------------------------------------------------------------------------------------


def hypothesis_row(h: Hypothesis, constants: Sequence[ConstantRow]) -> dict[str, Any]:
    """One entry of ``front``."""
    e = h.expression
    whole = float(h.complexity).is_integer()
    return {
        "expression": str(e),
        "pretty": e.pretty(),
        "latex": e.latex(),
        "complexity": int(h.complexity) if whole else float(h.complexity),
        "constants": [c.as_dict() for c in constants],
        **{name: getattr(h, name) for name in _FIGURES},
    }


def jsonable(value: Any) -> Any:
    """``value`` with tuples as lists, NumPy numbers as Python's, and None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, str) else str(value)


class _Damaged(ValueError):
    """Says in words what is wrong with the content of a result file."""


_KINDS: dict[type, tuple[type | tuple[type, ...], str]] = {
    dict: (Mapping, "a table"),
    list: (list, "a list"),
    str: (str, "a text"),
    float: ((int, float), "a number"),
}


def _entry(table: Mapping[str, Any], key: str, kind: type, optional: bool = False) -> Any:
    """``table[key]``, which must be of ``kind``, or None when ``optional``; raises _Damaged otherwise."""
    if key not in table:
        raise _Damaged(f'no entry "{key}"')
    value = table[key]
    types, name = _KINDS[kind]
    if not (isinstance(value, types) or (optional and value is None)):
        raise _Damaged(f'the entry "{key}" is not {name}')
    return value


def _all(values: Iterable[Any], kind: type, key: str) -> None:
    types, name = _KINDS[kind]
    if not all(isinstance(value, types) for value in values):
        raise _Damaged(f'a member of the entry "{key}" is not {name}')


def from_dict(content: Mapping[str, Any]) -> Result:
    """The result whose :meth:`Result.to_dict` is ``content``; raises ValueError if there is none."""
    status = _entry(content, "status", dict)
    code, message = (_entry(status, key, str) for key in ("code", "message"))
    chosen = _entry(content, "best", dict, optional=True)
    rows = _entry(content, "front", list)
    _all(rows, dict, "front")
    coverage, efficiency, timing = (_entry(content, key, dict) for key in ("coverage", "efficiency", "timing"))
    manifest = _entry(content, "manifest", dict)
    settings = _entry(manifest, "settings", dict)
    _entry(settings, "target", str)
    _all(_entry(settings, "features", list), str, "features")
    for key, kind in (("units", str), ("scales", float), ("constants", float)):
        _all(_entry(settings, key, dict).values(), kind, key)
    front = tuple(_hypothesis(row, settings["features"], settings["constants"]) for row in rows)
    if chosen is not None and chosen not in rows:
        raise _Damaged('the entry "best" is not in the entry "front"')
    return Result(
        best=None if chosen is None else front[rows.index(chosen)],
        front=front,
        status=code,
        message=message,
        coverage=Coverage(*(_entry(coverage, f.name, float) for f in fields(Coverage))),
        efficiency=Efficiency(*(_entry(efficiency, f.name, float) for f in fields(Efficiency))),
        timing=dict(timing),
        manifest=dict(manifest),
        constants=tuple(tuple(_constant(c) for c in row["constants"]) for row in rows),
        # Results of older versions have no rules and no posterior.
        rules=tuple(RuleRow.read(row) for row in content.get("rules", [])),
        posterior=_posterior(content, settings),
    )


def _posterior(content: Mapping[str, Any], settings: Mapping[str, Any]) -> Posterior | None:
    from hypo.scoring.posterior import Posterior, Structure

    rows, summary = content.get("posterior"), content.get("inclusion")
    if not rows or summary is None:
        return None
    return Posterior(
        structures=tuple(Structure.read(row, settings["features"], settings["constants"]) for row in rows),
        variables=dict(summary["variables"]),
        operators=dict(summary["operators"]),
        within=summary["within_odds"]["structures"],
        covers=_entry(summary, "covers", str),
        # Results of older versions have neither.
        terms=dict(summary.get("terms", {})),
        chain=summary.get("chain"),
    )


def _constant(c: Mapping[str, Any]) -> ConstantRow:
    # Results of older versions have no intervals.
    spread = (_entry({name: None, **c}, name, float, optional=True) for name in ("std", "lower", "upper"))
    return ConstantRow(
        _entry(c, "name", str), _entry(c, "value", float), _entry(c, "unit", str, optional=True), *spread
    )


def _hypothesis(row: Mapping[str, Any], features: Sequence[str], named: Mapping[str, float]) -> Hypothesis:
    from dataclasses import replace

    from hypo.errors import FormulaError
    from hypo.expression.expr import Expression
    from hypo.expression.parser import parse
    from hypo.scoring.score import Hypothesis

    text = _entry(row, "expression", str)
    try:
        e = parse(text, variables=features, constants=named)
    except FormulaError as error:
        raise _Damaged(f'the formula "{text}" cannot be read') from error
    if e.free:
        raise _Damaged(f'the formula "{text}" holds an unknown name, {e.constants[e.free[0]].name}')
    _all(_entry(row, "constants", list), dict, "constants")
    fitted = {_constant(c).value for c in row["constants"]}
    constants = tuple(replace(c, free=c.name is None and c.value in fitted) for c in e.constants)
    figures = {name: _entry(row, name, float, optional=True) for name in _FIGURES}
    return Hypothesis(
        expression=Expression(e.code, constants, e.variables),
        complexity=_entry(row, "complexity", float),
        origin=_entry({"origin": Hypothesis.origin, **row}, "origin", str),  # results of older versions have none
        **{name: math.nan if value is None else value for name, value in figures.items()},
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no result at {path}: give the folder that hypo fit wrote") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(schema, str):
        raise InputError(f'{path} is no result of hypo (no entry "schema"): give the folder that hypo fit wrote')
    if schema != SCHEMA:
        raise InputError(f"{path} has schema {schema!r}, but this version of hypo reads {SCHEMA!r}")
    return dict(content)


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """``folder`` as a path, if results may be written there: it is new, empty, or holds an earlier result.

    Raises InputError otherwise, so that nobody's files get mixed with ours.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file, so results cannot be written there: choose another folder")
    if path.is_dir() and not (path / RESULT_FILE).is_file() and any(path.iterdir()):
        raise InputError(f"{path} holds files but no result of hypo: choose a new or empty folder")
    if (path / RESULT_FILE).is_file():
        _read(path / RESULT_FILE)
    return path


def write_text(path: Path, text: str) -> None:
    """Write a file in one step, so that a crash leaves the old content or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8", newline="\n")
    os.replace(draft, path)
