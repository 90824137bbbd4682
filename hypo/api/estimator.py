"""The scikit-learn estimator, with the parameter names that users of PySR know."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_random_state, validate_data

from hypo.api.other_names import AT_FIT, IN_ESTIMATOR, join_units, name_units, read_pysr_units
from hypo.api.parameters.calls import describe, list_names, list_parameters
from hypo.api.parameters.parameter import ESTIMATOR, FIT
from hypo.api.parameters.typed import EstimatorAttributes
from hypo.data.frames import require_numbers
from hypo.data.roles import as_vector
from hypo.errors import InputError
from hypo.keywords import check_keywords, refuse
from hypo.result.result import Result

if TYPE_CHECKING:
    import pandas

    from hypo.api.parameters.typed import EstimatorSettings
    from hypo.expression.user_operators import Operator
    from hypo.posterior.predictive import Prediction

# Rows that whole-number weights may become by repetition; with more they stay weights (memory).
MOST_REPEATED_ROWS = 1_000_000
# The largest seed that is drawn from a RandomState: the largest 32-bit integer, as in scikit-learn.
LARGEST_SEED = 2**31 - 1
# Seconds after the warning of an interrupted fit within which another interrupt means the script, not one fit of it.
SECOND_INTERRUPT = 2.0


@describe(ESTIMATOR)
class SymbolicRegressor(EstimatorAttributes, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Symbolic regression as a scikit-learn estimator: ``fit(X, y)``, ``predict(X)``, ``score(X, y)``.

    Parameters:
        **settings: see :class:`hypo.api.parameters.typed.EstimatorSettings`.

    Attributes:
        result_: the :class:`hypo.Result`.
        equations_: the front as a DataFrame, one row per formula with rising complexity: ``complexity``,
            ``loss`` (mean squared error), ``score`` (nats, the less the better; PySR's differs), ``equation``
            (text), ``sympy_format``, ``lambda_format`` (maps X to y). Made anew on each access.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.

    Where the formula is undefined, ``predict`` gives NaN.
    """

    @check_keywords(IN_ESTIMATOR, "SymbolicRegressor")
    @describe(ESTIMATOR)
    def __init__(
        self,
        operators: Sequence[str] | Mapping[int, Sequence[str]] | str | None = None,
        **settings: Unpack[EstimatorSettings],
    ) -> None:
        # As scikit-learn wants it, each is kept as it was given; it is checked at the fit.
        for p in list_parameters(ESTIMATOR):
            setattr(self, p.name, operators if p.name == "operators" else settings.get(p.name, p.default))

    @check_keywords(AT_FIT, "SymbolicRegressor.fit")
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        trials: ArrayLike | None = None,
        censored: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        units: Mapping[str, str] | None = None,
        X_units: Sequence[str] | Mapping[str, str] | None = None,
        y_units: str | None = None,
        variable_names: Sequence[str] | None = None,
        folds: ArrayLike | None = None,
    ) -> SymbolicRegressor:
        """Search for the law behind ``y``.

        An interrupt (Ctrl-C) ends the search, warns, and keeps the best formula so far; a second one within two seconds of the
        warning, in the next fit of a loop, is raised as KeyboardInterrupt.

        Args:
            X: (n_row, n_col).
            y: (n_row,).
            sample_weight: (n_row,), ≥ 0; rows of weight 0 are left out.
            trials, censored, lower, upper: (n_row,), as in :func:`hypo.fit`.
            units: unit texts by name, as for the estimator; X_units and y_units are PySR's way to give them.
            X_units: unit texts, one per column or by name.
            y_units: unit text of y.
            folds: (n_row,), rows to hold out or the number of each row's fold, for ``model_selection="validation"``.
            variable_names: names of the columns in formulas; default: those of a DataFrame, else x0, x1, ….

        Raises:
            ValueError: wrong shapes or settings (InputError, DataError, KnowledgeError, UnitError).
        """
        from hypo.api.fit import fit
        from hypo.api.inputs import read_folds

        _require_numbers(X, y)
        rows, values = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        given = {"trials": trials, "censored": censored, "lower": lower, "upper": upper}
        arrays: dict[str, NDArray[Any]] = {
            name: as_vector(name, v) for name, v in given.items() if v is not None and np.ndim(v) > 0
        }
        _require_rows(arrays, len(values))
        if folds is not None:
            arrays["folds"] = read_folds(folds)
            _require_rows(arrays, len(values))
        arrays |= {"X": rows, "y": values}
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
            arrays, weights = _weigh_rows(arrays, weights)
        names = self._names(variable_names)
        target = _target_name(names)
        called = getattr(y, "name", None)
        stated = (
            *name_units(names, target, called, self.units, units),
            *read_pysr_units(names, target, X_units, y_units),
        )
        begin = time.monotonic()
        self.result_: Result = fit(
            (arrays.pop("X"), arrays.pop("y")),
            target,
            features=names,
            weights=weights,
            units=join_units(stated),
            **{**self._shared_settings(), **given, **arrays},
        )
        if self.result_.status == "interrupted":
            _warn_interrupted(begin + self.result_.timing.get("interrupted", 0.0), self.result_.best is not None)
        if self.result_.best is None:
            raise InputError(f"{self.result_.message}; allow more time or more operators")
        return self

    @check_keywords(name="SymbolicRegressor.predict")
    def predict(
        self,
        X: ArrayLike,
        index: int | None = None,
        *,
        return_std: bool = False,
        interval: float | None = None,
        trials: ArrayLike | None = None,
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]] | Prediction:
        """y for new rows X (n_row, n_col), shape (n_row,); NaN where the formula is undefined.

        Args:
            index: a row of ``equations_``; the default is the model selected.
            return_std: the mean over all likely structures and their constants instead, and its standard deviation with the
                noise of one row, ``(mean, std)``, as scikit-learn's estimators have it.
            interval: the probability that the interval of each row holds y: gives mean, std, lower, upper and parts, as
                :meth:`hypo.Result.predict` does.
            trials: of binomial targets, as for :meth:`hypo.Result.predict`.
        """
        check_is_fitted(self)
        _require_numbers(X)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        if not return_std and interval is None:
            return self.result_.predict(X, self._index(index), trials=trials)
        found = self.result_.predict(X, index, return_std=True, interval=interval, trials=trials)
        return found if interval is not None else (found.mean, found.std)

    def set_params(self, **params: Any) -> SymbolicRegressor:
        """Change parameters by name, as everywhere in scikit-learn."""
        refuse(
            "SymbolicRegressor", (name for name in params if "__" not in name), self._get_param_names(), IN_ESTIMATOR
        )
        super().set_params(**params)
        return self

    @check_keywords(name="SymbolicRegressor.sympy")
    def sympy(self, index: int | None = None) -> Any:
        """The selected formula, or row ``index`` of ``equations_``, as a sympy expression."""
        check_is_fitted(self)
        return self.result_.sympy(self._index(index))

    @check_keywords(name="SymbolicRegressor.latex")
    def latex(self, index: int | None = None) -> str:
        """LaTeX source of the selected formula, or of row ``index`` of ``equations_``."""
        check_is_fitted(self)
        return self.result_.latex(self._index(index))

    def get_best(self) -> pandas.Series:
        """The row of ``equations_`` of the selected formula."""
        return self.equations_.iloc[self._index(None)]

    @property
    def equations_(self) -> pandas.DataFrame:
        """The front as a DataFrame (see the class)."""
        import pandas

        check_is_fitted(self)
        front = self.result_.front
        return pandas.DataFrame(
            {
                "complexity": [h.complexity for h in front],
                "loss": [h.rmse**2 for h in front],
                "score": [h.score for h in front],
                "equation": [str(h.expression) for h in front],
                "sympy_format": [self.result_.sympy(i) for i in range(len(front))],
                "lambda_format": [partial(self.predict, index=i) for i in range(len(front))],
            }
        )

    def _index(self, index: int | None) -> int:
        """Position in the front of the chosen formula."""
        if index is not None:
            return index
        return self.result_.front.index(self.result_.found())

    # --- settings -----------------------------------------------------------------------------------

    def _shared_settings(self) -> dict[str, Any]:
        """The settings that :func:`hypo.fit` calls by the same name, and those that have other names here."""
        theirs = set(list_names(FIT)) - {"units", "time_limit"}
        same = {name: getattr(self, name) for name in list_names(ESTIMATOR) if name in theirs}
        limit = {} if self._has_no_time_limit() else {"time_limit": self._seconds()}
        return {
            **same, "operators": self._operators(), "max_complexity": self._size(), "seed": self._seed(), **limit
        }  # fmt: skip

    def _has_no_time_limit(self) -> bool:
        """True where turns are given and the time limit is the default: who keeps all parameters cannot tell whether that was
        given."""
        usual = {p.name: p.default for p in list_parameters(ESTIMATOR)}
        return self.turns is not None and self.timeout_in_seconds is None and self.time_limit == usual["time_limit"]

    def _size(self) -> int | None:
        """The largest complexity from the two spellings."""
        sizes = [size for size in (self.max_complexity, self.maxsize) if size is not None]
        if len(sizes) == 2 and sizes[0] != sizes[1]:
            raise InputError(
                f"max_complexity and maxsize are two names of one setting, but they are {sizes[0]} and {sizes[1]}; give one"
            )
        return sizes[0] if sizes else None

    def _operators(self) -> tuple[str | Operator, ...] | str | None:
        """One list of operators from the three spellings."""
        lists = (self.binary_operators, self.unary_operators)
        if all(names is None for names in lists):
            given = self.operators
            if isinstance(given, Mapping):
                return tuple(name for names in given.values() for name in names)
            return given if given is None or isinstance(given, str) else tuple(given)
        if self.operators is not None:
            raise InputError("give either operators or binary_operators and unary_operators, not both")
        from hypo.expression.operators import BY_NAME
        from hypo.problem.problem import DEFAULT_OPERATORS

        defaults = [[n for n in DEFAULT_OPERATORS if BY_NAME[n].arity == arity] for arity in (2, 1)]
        chosen = [default if names is None else names for names, default in zip(lists, defaults, strict=True)]
        return (*chosen[0], *chosen[1])

    def _seconds(self) -> float | str:
        return self.time_limit if self.timeout_in_seconds is None else self.timeout_in_seconds

    def _seed(self) -> int:
        if self.random_state is None or isinstance(self.random_state, np.random.RandomState):
            return int(check_random_state(self.random_state).randint(LARGEST_SEED))
        return int(self.random_state)

    def _names(self, variable_names: Sequence[str] | None) -> list[str]:
        """Names of all columns."""
        if variable_names is not None:
            if len(variable_names) != self.n_features_in_:
                raise InputError(
                    f"variable_names has {len(variable_names)} names, but X has {self.n_features_in_} columns"
                )
            return [str(name) for name in variable_names]
        named = getattr(self, "feature_names_in_", None)
        return [f"x{k}" for k in range(self.n_features_in_)] if named is None else [str(name) for name in named]


def _require_numbers(X: Any, y: Any = None) -> None:
    """Raises DataError for columns of a data frame, or a series, of dates and the like, before NumPy does in its words."""
    if hasattr(X, "columns"):
        require_numbers(X, "X")
    if hasattr(y, "dtype") and hasattr(y, "index"):
        as_vector("y", y)


def _require_rows(arrays: Mapping[str, NDArray[Any]], n_row: int) -> None:
    """Raises InputError for an array that has not one value for each row."""
    for name, values in arrays.items():
        if len(values) != n_row:
            raise InputError(f"{name} has {len(values)} values, but there are {n_row} rows; expected as many")


def _weigh_rows(
    arrays: Mapping[str, NDArray[Any]], weights: NDArray[np.float64]
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64] | None]:
    """Arrays and weights, one value for each row, without the rows of weight 0. Weights that are counts become repeated rows:
    scikit-learn means counts by whole numbers, while hypo's own weights are relative."""
    kept = weights > 0
    weights = weights[kept]
    if np.all(weights == np.round(weights)) and weights.sum() <= MOST_REPEATED_ROWS:
        times = weights.astype(int)
        return {name: np.repeat(values[kept], times, axis=0) for name, values in arrays.items()}, None
    return {name: values[kept] for name, values in arrays.items()}, weights


def _target_name(names: Sequence[str]) -> str:
    return "y" if "y" not in names else "target"


_last_warning = -SECOND_INTERRUPT


def _warn_interrupted(when: float, kept: bool) -> None:
    """Warn of a fit that was interrupted at the time ``when``. Raises KeyboardInterrupt where that was soon after the last such
    warning, or no formula is ``kept``."""
    global _last_warning
    if not kept or when - _last_warning < SECOND_INTERRUPT:
        raise KeyboardInterrupt
    _last_warning = time.monotonic()
    warnings.warn(
        "the search was interrupted, and the best formula so far is kept; "
        f"interrupt again within {SECOND_INTERRUPT:g} seconds to stop",
        RuntimeWarning,
        stacklevel=3,
    )
