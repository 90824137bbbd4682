"""The parameters of each call with their types, for editors and type checkers.

Made from the table of parameters: ``python -m hypo.api.parameters`` writes it anew. Do not edit it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

    from hypo.api.audit import AuditProgress
    from hypo.api.inputs import KnowledgeLike
    from hypo.data.tables import XSigma
    from hypo.expression.expr import Expression
    from hypo.expression.user_operators import Operator
    from hypo.likelihood.custom import LogLikelihood
    from hypo.result.folders import Destination
    from hypo.search.outcome import Progress

    ProgressLike = bool | Callable[[Progress], None] | None


class SharedSettings(TypedDict, total=False):
    """Parameters that a fit, a score and an audit have in common."""

    features: Sequence[str] | str | None
    """Columns that formulas may use, default all others that hold numbers; with arrays the names of X's columns."""
    exclude: Sequence[str] | str | None
    """Columns that formulas may not use."""
    thousands: str | None
    """The mark between thousands in the table, such as ``","``; with ``"."`` commas are decimal."""
    knowledge: KnowledgeLike
    """:class:`Knowledge`, a dictionary of the file's shape, or the path of a TOML file."""
    units: Mapping[str, str] | None
    """Unit texts by column name, target included; must agree with headers and knowledge."""
    likelihood: str | None
    """How targets scatter: ``"gaussian"`` (default), ``"student_t"`` (outliers), ``"poisson"`` (counts; the formula
    is the rate), ``"binomial"`` (0 or 1, or successes in ``trials``; the formula is the log-odds) or
    ``"lognormal"`` (positive; the formula is the median, ``sigma`` that of log y). A formula with an impossible
    value in some row, such as a rate of 0 or less, is ruled out as an undefined one is.
    """
    dof: float | None
    """Degrees of freedom of Student's t, 4 by default."""
    sigma: float | str | ArrayLike | None
    """Noise of the target, one standard deviation: a number, a column, or (n_row,); else estimated."""
    weights: str | ArrayLike | None
    """A column or (n_row,), ≥ 0."""
    trials: float | str | ArrayLike | None
    """Numbers of trials: a number, a column or (n_row,)."""
    censored: str | ArrayLike | None
    """A column or (n_row,): 0 where the target was measured, 1 where the true value is above it, -1 where below."""
    lower: str | ArrayLike | None
    """Instead of ``censored``, a column or (n_row,) with lower limits of the true value, empty or infinite where
    there is none. A row without limits was measured; one with a limit needs no target.
    """
    upper: str | ArrayLike | None
    """The same with upper limits."""
    x_sigma: XSigma
    """Noise of features, ``{"x": 0.1, "t": "t_error"}``: numbers, columns or (n_row,). Taken to first order: the
    variance of a row is σ² + Σ (∂f/∂x_j)² σ_j². Needs ``sigma``.
    """
    lam: float | None
    """Weight λ of soft violations, in nats per unit of violation."""
    drop_missing: bool
    """Leave out rows with missing or infinite cells instead of refusing them, and rows with cells that say that
    there is no value, such as ``#DIV/0!`` or ``<LOD``.
    """


class FitSettings(SharedSettings, total=False):
    """Parameters of :func:`hypo.fit` that are given by name."""

    log_likelihood: LogLikelihood | None
    """Your own function of the targets and predictions of some rows, arrays (n,) both, that gives log p(y_i | f_i)
    in nats, shape (n,). It is tried on the data before the search starts.
    """
    time_limit: float | str
    """Seconds from the call on, or a duration such as ``"2min"``; the search stops earlier when the answer is
    certain. With ``turns`` there is none unless it is given.
    """
    turns: int | None
    """Number of turns of the proposers, in place of a time: equal seeds give equal answers on any machine."""
    seed: int
    """Equal seeds give equal results, unless the time limit cut the search."""
    operators: Sequence[str | Operator] | str | None
    """Names from the operator table, such as ``["+", "*", "sqrt"]`` or ``"+,*,sqrt"``, and operators of your own
    (:class:`hypo.Operator`).
    """
    max_complexity: int | None
    """Largest number of nodes."""
    guesses: Sequence[str | Expression] | str | Expression | None
    """Formulas to start from, such as ``["a*x/(b + x)"]``. Names that are neither columns nor constants of the
    knowledge are constants to fit. They are fitted from many starts, then varied, and seed the search; a guess
    that breaks a hard rule of the knowledge is refused.
    """
    workers: int | None
    """Threads or processes, default one per core; does not change the result."""
    backend: str
    """``"native"``, ``"cuda"`` (the same, with large scans and batches on an NVIDIA GPU; needs the extra ``gpu``),
    ``"pysr"`` (PySR's search, in a process of its own; needs the extra ``pysr`` and Julia), or ``"all"`` (native
    and PySR at the same time, on one front). With PySR equal seeds need not give equal results.
    """
    model_selection: str
    """Which formula is ``best``: ``"score"``, ``"posterior"`` (the structure with the largest posterior weight),
    ``"accuracy"`` (the least misfit on the front, also where the score does not believe it), or ``"validation"``
    (the least loss on rows that are held out before the search; then all is fitted to all rows,
    :mod:`hypo.search.validation`).
    """
    validation_fraction: float | None
    """Share of the rows to hold out at random, default 0.2."""
    folds: str | ArrayLike | None
    """A column, which is then no feature, or (n_row,): a mask of the rows to hold out, or whole numbers, that of
    each row's fold. Each fold is held out of a search of its own, which has its share of the time limit.
    """
    max_memory: str | float | None
    """Bytes, or a size such as ``"4 GB"``, that this process may take: libraries grow no further than that."""
    scheduler: str | None
    """Who does the large scans: ``"threads"`` (default), ``"processes"``, ``"local"`` (a Dask cluster of ``workers``
    processes on this machine) or the address of a Dask scheduler, ``"tcp://host:8786"``. Does not change the
    result. A script that starts processes needs ``if __name__ == "__main__":``.
    """
    shard: str | Sequence[int] | None
    """``"3/16"`` or ``(3, 16)`` does the third of 16 parts of the search; :func:`hypo.merge` joins what they found."""
    intervals: str
    """Of the best formula's constants: ``"laplace"``, symmetric, or ``"profile"``, where the likelihood with all
    others refitted has fallen so far; in both cases of 95 %.
    """
    posterior: bool
    """Weigh all likely structures at the end: one or two seconds, for which the search leaves up to 15 % of the time
    limit and 3 s at most. Without it there are no intervals of predictions.
    """
    progress: ProgressLike
    """True shows progress on standard error, in a notebook as one line that updates; or a function called with
    :class:`Progress` reports. By default it shows in a notebook, and nowhere else.
    """
    out: str | os.PathLike[str] | Destination | None
    """Folder for ``result.json`` and ``front.csv``, which is tried before the search; nothing is written by default."""
    overwrite: bool
    """Whether ``out`` may hold the result of other data, which is lost then."""


class ScoreSettings(SharedSettings, total=False):
    """Parameters of :func:`hypo.score` that are given by name."""

    log_likelihood: LogLikelihood | None
    """Your own function of the targets and predictions of some rows, arrays (n,) both, that gives log p(y_i | f_i)
    in nats, shape (n,). It is tried on the data before the search starts.
    """
    start: Mapping[str, float] | str | None
    """Values of constants to begin the fit at, ``{"a": 500, "b": 0.01}`` or ``"a=500, b=0.01"``; the fit tries
    others too.
    """
    intervals: str
    """Of the best formula's constants: ``"laplace"``, symmetric, or ``"profile"``, where the likelihood with all
    others refitted has fallen so far; in both cases of 95 %.
    """


class AuditSettings(SharedSettings, total=False):
    """Parameters of :func:`hypo.audit` that are given by name."""

    seeds: int
    """Fits with different seeds."""
    bootstrap: int
    """Fits to resampled rows."""
    time_limit: float | str
    """Seconds for each fit, or a duration such as ``"2min"``. Where it cuts fits, another audit may come out
    otherwise. With ``turns`` there is none unless it is given.
    """
    turns: int | None
    """Turns of the proposers in each fit, in place of a time: the audit is the same on every machine."""
    total_time: float | str | None
    """Seconds for the whole audit; what is not done by then is left out."""
    seed: int
    """Fits have the seeds ``seed``, ``seed + 1``, …; resamples are fitted with ``seed``."""
    operators: Sequence[str | Operator] | str | None
    """Names from the operator table, such as ``["+", "*", "sqrt"]`` or ``"+,*,sqrt"``, and operators of your own
    (:class:`hypo.Operator`).
    """
    max_complexity: int | None
    """Largest number of nodes."""
    workers: int | None
    """Fits at the same time; default one per core. Does not change the result."""
    scheduler: str | None
    """``"processes"``, ``"local"`` (a Dask cluster of this machine) or a Dask scheduler's address: whole fits are
    spread over them. ``"threads"`` or None: one fit after the other, each with ``workers`` threads.
    """
    progress: bool | Callable[[AuditProgress], None] | None
    """True shows progress on standard error, in a notebook as one line that updates; or a function called with
    :class:`AuditProgress`. By default it shows in a notebook, and nowhere else.
    """


class EstimatorSettings(TypedDict, total=False):
    """Parameters of :class:`hypo.SymbolicRegressor` that are given by name."""

    knowledge: KnowledgeLike
    """:class:`Knowledge`, a dictionary of the file's shape, or the path of a TOML file."""
    units: Mapping[str, str] | None
    """Unit texts by name, ``{"x0": "m", "y": "s"}``; the target may go by the name of a Series, too. :meth:`fit`
    takes them as well.
    """
    likelihood: str | None
    """How targets scatter: ``"gaussian"`` (default), ``"student_t"`` (outliers), ``"poisson"`` (counts; the formula
    is the rate), ``"binomial"`` (0 or 1, or successes in ``trials``; the formula is the log-odds) or
    ``"lognormal"`` (positive; the formula is the median, ``sigma`` that of log y). A formula with an impossible
    value in some row, such as a rate of 0 or less, is ruled out as an undefined one is.
    """
    dof: float | None
    """Degrees of freedom of Student's t, 4 by default."""
    log_likelihood: LogLikelihood | None
    """Your own function of the targets and predictions of some rows, arrays (n,) both, that gives log p(y_i | f_i)
    in nats, shape (n,). It is tried on the data before the search starts.
    """
    sigma: float | None
    """Known noise of y (standard deviation); default: estimated."""
    x_sigma: Mapping[str, float] | None
    """Known noise of columns, numbers by name, as in :func:`hypo.fit`."""
    lam: float | None
    """Weight λ of soft violations, in nats per unit of violation."""
    time_limit: float | str
    """Seconds, or a duration such as ``"2min"``. ``timeout_in_seconds`` is PySR's name for it, and wins when both
    are given. With ``turns`` the default stands for none.
    """
    timeout_in_seconds: float | str | None
    """PySR's name for ``time_limit``."""
    turns: int | None
    """Number of turns of the proposers, in place of a time: equal seeds give equal answers on any machine."""
    random_state: int | np.random.RandomState | None
    """Seed, or a NumPy RandomState to draw it from."""
    binary_operators: Sequence[str | Operator] | None
    """Operators of two arguments, as in PySR; not with ``operators``."""
    unary_operators: Sequence[str | Operator] | None
    """Operators of one argument, as in PySR; not with ``operators``."""
    max_complexity: int | None
    """Largest number of nodes."""
    maxsize: int | None
    """PySR's name for ``max_complexity``; both may be given if they are equal."""
    guesses: Sequence[str | Expression] | str | Expression | None
    """Formulas to start from, such as ``["a*x/(b + x)"]``. Names that are neither columns nor constants of the
    knowledge are constants to fit. They are fitted from many starts, then varied, and seed the search; a guess
    that breaks a hard rule of the knowledge is refused.
    """
    workers: int | None
    """Threads or processes, default one per core; does not change the result."""
    backend: str
    """``"native"``, ``"cuda"`` (the same, with large scans and batches on an NVIDIA GPU; needs the extra ``gpu``),
    ``"pysr"`` (PySR's search, in a process of its own; needs the extra ``pysr`` and Julia), or ``"all"`` (native
    and PySR at the same time, on one front). With PySR equal seeds need not give equal results.
    """
    model_selection: str
    """Which formula is ``best``: ``"score"``, ``"posterior"`` (the structure with the largest posterior weight),
    ``"accuracy"`` (the least misfit on the front, also where the score does not believe it), or ``"validation"``
    (the least loss on rows that are held out before the search; then all is fitted to all rows,
    :mod:`hypo.search.validation`).
    """
    validation_fraction: float | None
    """Share of the rows to hold out at random, default 0.2."""
    max_memory: str | float | None
    """Bytes, or a size such as ``"4 GB"``, that this process may take: libraries grow no further than that."""
    scheduler: str | None
    """Who does the large scans: ``"threads"`` (default), ``"processes"``, ``"local"`` (a Dask cluster of ``workers``
    processes on this machine) or the address of a Dask scheduler, ``"tcp://host:8786"``. Does not change the
    result. A script that starts processes needs ``if __name__ == "__main__":``.
    """
    shard: str | Sequence[int] | None
    """``"3/16"`` or ``(3, 16)`` does the third of 16 parts of the search; :func:`hypo.merge` joins what they found."""
    intervals: str
    """Of the best formula's constants: ``"laplace"``, symmetric, or ``"profile"``, where the likelihood with all
    others refitted has fallen so far; in both cases of 95 %.
    """
    posterior: bool
    """Weigh all likely structures at the end: one or two seconds, for which the search leaves up to 15 % of the time
    limit and 3 s at most. Without it there are no intervals of predictions.
    """
    progress: ProgressLike
    """True shows progress on standard error, in a notebook as one line that updates; or a function called with
    :class:`Progress` reports. By default it shows in a notebook, and nowhere else.
    """


class EstimatorAttributes:
    """The attributes that hold the parameters of :class:`hypo.SymbolicRegressor`."""

    operators: Sequence[str | Operator] | Mapping[int, Sequence[str | Operator]] | str | None
    knowledge: KnowledgeLike
    units: Mapping[str, str] | None
    likelihood: str | None
    dof: float | None
    log_likelihood: LogLikelihood | None
    sigma: float | None
    x_sigma: Mapping[str, float] | None
    lam: float | None
    time_limit: float | str
    timeout_in_seconds: float | str | None
    turns: int | None
    random_state: int | np.random.RandomState | None
    binary_operators: Sequence[str | Operator] | None
    unary_operators: Sequence[str | Operator] | None
    max_complexity: int | None
    maxsize: int | None
    guesses: Sequence[str | Expression] | str | Expression | None
    workers: int | None
    backend: str
    model_selection: str
    validation_fraction: float | None
    max_memory: str | float | None
    scheduler: str | None
    shard: str | Sequence[int] | None
    intervals: str
    posterior: bool
    progress: ProgressLike
