"""``hypo.fit``: search for the law behind a table."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypo import interrupts
from hypo.api.inputs import as_folds
from hypo.api.make_result import make_result
from hypo.api.other_names import IN_FUNCTIONS
from hypo.api.validate import Inputs, validate_inputs
from hypo.errors import InputError, ShortSearchWarning
from hypo.keywords import known_keywords
from hypo.report.display.notebook import is_in_notebook
from hypo.report.remarks import explain_short_search
from hypo.result.folders import Destination, folder_path
from hypo.result.result import Result
from hypo.starting import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from hypo.api.inputs import KnowledgeLike
    from hypo.data.tables import XSigma
    from hypo.expression.expr import Expression
    from hypo.expression.user_operators import Operator
    from hypo.likelihood.custom import LogLikelihood
    from hypo.search.outcome import Progress

    ProgressLike = bool | Callable[[Progress], None] | None


@known_keywords(IN_FUNCTIONS, "hypo.fit")
@counted
def fit(
    data: Any,
    target: Any = None,
    *,
    features: Sequence[str] | str | None = None,
    knowledge: KnowledgeLike = None,
    time_limit: float | str = 60.0,
    seed: int = 0,
    sigma: float | str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    operators: Sequence[str | Operator] | str | None = None,
    max_complexity: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    max_memory: str | float | None = None,
    shard: str | Sequence[int] | None = None,
    lam: float | None = None,
    units: Mapping[str, str] | None = None,
    drop_missing: bool = False,
    exclude: Sequence[str] | str | None = None,
    thousands: str | None = None,
    likelihood: str | None = None,
    dof: float | None = None,
    log_likelihood: LogLikelihood | None = None,
    trials: float | str | ArrayLike | None = None,
    censored: str | ArrayLike | None = None,
    lower: str | ArrayLike | None = None,
    upper: str | ArrayLike | None = None,
    x_sigma: XSigma = None,
    guesses: Sequence[str | Expression] | str | Expression | None = None,
    backend: str = "native",
    posterior: bool = True,
    intervals: str = "laplace",
    model_selection: str = "score",
    validation_fraction: float | None = None,
    folds: str | ArrayLike | None = None,
    progress: ProgressLike = None,
    out: str | os.PathLike[str] | Destination | None = None,
    overwrite: bool = False,
) -> Result:
    """Search for the law behind a table: min over h of misfit(h) + complexity(h) + λ·violation(h), in nats.

    Args:
        data: path of a CSV, Excel or Parquet file, ``"-"`` for standard input, DataFrame, :class:`Dataset`, pair ``(X, y)``,
            or array ``X`` (n_row, n_col).
        target: name of the target column; with an array ``X`` the values y (n_row,).
        features: columns that formulas may use, default all others that hold numbers; with arrays the names of X's columns.
        knowledge: :class:`Knowledge`, a dictionary of the file's shape, or the path of a TOML file.
        time_limit: seconds from the call on, or a duration such as ``"2min"``; the search stops earlier when the answer is
            certain.
        seed: equal seeds give equal results, unless the time limit cut the search.
        sigma: noise of the target, one standard deviation: a number, a column, or (n_row,); else estimated.
        weights: a column or (n_row,), ≥ 0.
        operators: names from the operator table, such as ``["+", "*", "sqrt"]`` or ``"+,*,sqrt"``, and operators of your own
            (:class:`hypo.Operator`).
        max_complexity: largest number of nodes.
        workers: threads or processes, default one per core; does not change the result.
        scheduler: who does the large scans: ``"threads"`` (default), ``"processes"``, ``"local"`` (a Dask cluster of
            ``workers`` processes on this machine) or the address of a Dask scheduler, ``"tcp://host:8786"``. Does not change
            the result. A script that starts processes needs ``if __name__ == "__main__":``.
        max_memory: bytes, or a size such as ``"4 GB"``, that this process may take: libraries grow no further than that.
        shard: ``"3/16"`` or ``(3, 16)`` does the third of 16 parts of the search; :func:`merge` joins what they found.
        lam: weight λ of soft violations, in nats per unit of violation.
        units: unit texts by column name, target included; must agree with headers and knowledge.
        drop_missing: leave out rows with missing or infinite cells instead of refusing them, and rows with cells that say that
            there is no value, such as ``#DIV/0!`` or ``<LOD``.
        exclude: columns that formulas may not use.
        thousands: the mark between thousands in the table, such as ``","``; with ``"."`` commas are decimal.
        likelihood: how targets scatter: ``"gaussian"`` (default), ``"student_t"`` (outliers), ``"poisson"`` (counts; the
            formula is the rate), ``"binomial"`` (0 or 1, or successes in ``trials``; the formula is the log-odds) or
            ``"lognormal"`` (positive; the formula is the median, ``sigma`` that of log y). A formula with an impossible value
            in some row, such as a rate of 0 or less, is ruled out as an undefined one is.
        dof: degrees of freedom of Student's t, 4 by default.
        log_likelihood: your own function of the targets and predictions of some rows, arrays (n,) both, that gives
            log p(y_i | f_i) in nats, shape (n,). It is tried on the data before the search starts.
        trials: numbers of trials: a number, a column or (n_row,).
        censored: a column or (n_row,): 0 where the target was measured, 1 where the true value is above it, -1 where below.
        lower, upper: instead of ``censored``, columns or (n_row,) with limits of the true value, empty or infinite where
            there is none. A row with neither was measured; one with a limit needs no target.
        x_sigma: noise of features, ``{"x": 0.1, "t": "t_error"}``: numbers, columns or (n_row,). Taken to first order: the
            variance of a row is σ² + Σ (∂f/∂x_j)² σ_j². Needs ``sigma``.
        guesses: formulas to start from, such as ``["a*x/(b + x)"]``. Names that are neither columns nor constants of
            the knowledge are constants to fit. They are fitted from many starts, then varied, and seed the search; a guess
            that breaks a hard rule of the knowledge is refused.
        backend: ``"native"``, ``"cuda"`` (the same, with large scans and batches on an NVIDIA GPU; needs the extra ``gpu``),
            ``"pysr"`` (PySR's search, in a process of its own; needs the extra ``pysr`` and Julia), or ``"all"`` (native and
            PySR at the same time, on one front). With PySR equal seeds need not give equal results.
        posterior: weigh all likely structures at the end: one or two seconds, for which the search leaves up to 15 % of the
            time limit and 3 s at most. Without it there are no intervals of predictions.
        intervals: of the best formula's constants: ``"laplace"``, symmetric, or ``"profile"``, where the likelihood with all
            others refitted has fallen so far; in both cases of 95 %.
        model_selection: which formula is ``best``: ``"score"``, ``"posterior"`` (the structure with the largest posterior
            weight), ``"accuracy"`` (the least misfit on the front, also where the score does not believe it), or
            ``"validation"`` (the least loss on rows that are held out before the search; then all is fitted to all rows,
            :mod:`hypo.search.validation`).
        validation_fraction: share of the rows to hold out at random, default 0.2.
        folds: a column, which is then no feature, or (n_row,): a mask of the rows to hold out, or whole numbers, that of each
            row's fold. Each fold is held out of a search of its own, which has its share of the time limit.
        progress: True shows progress on standard error, in a notebook as one line that updates; or a function called with
            :class:`Progress` reports. By default it shows in a notebook, and nowhere else.
        out: folder for ``result.json`` and ``front.csv``, which is tried before the search; nothing is written by default.
        overwrite: whether ``out`` may hold the result of other data, which is lost then.

    Returns:
        the result; ``best`` is None when nothing acceptable was found. Ctrl-C ends the search with the best so far, a second
        one cuts its finishing short. Warns (:class:`~hypo.errors.ShortSearchWarning`) where the time limit came before anything
        better than a constant.

    Raises:
        DataError, KnowledgeError, UnitError: the input cannot be used; the message says where and why.
        InputError: a setting or a guess is wrong, no scheduler answers, or there is no GPU.
        MissingExtraError: PySR, Julia, PyTorch or Dask is wanted and not there; the message says how to get it.
    """
    place = out if isinstance(out, Destination) or out is None else Destination(folder_path(out), overwrite=overwrite)
    if place is not None:
        place.check()
    table = {
        "features": features,
        "sigma": sigma,
        "weights": weights,
        "drop_missing": drop_missing,
        "trials": trials,
        "censored": censored,
        "lower": lower,
        "upper": upper,
        "x_sigma": x_sigma,
        "folds": folds,
        "exclude": exclude,
        "thousands": thousands,
    }
    inputs = validate_inputs(
        data,
        target,
        table,
        knowledge,
        units,
        time_limit=time_limit,
        seed=seed,
        operators=operators,
        max_complexity=max_complexity,
        workers=workers,
        scheduler=scheduler,
        max_memory=max_memory,
        shard=shard,
        lam=lam,
        guesses=guesses,
        backend=backend,
        likelihood=likelihood,
        dof=dof,
        log_likelihood=log_likelihood,
        posterior=posterior,
        intervals=intervals,
    )
    held_out = as_folds(inputs.dataset, model_selection, validation_fraction, folds, inputs.settings)
    # Who gave a destination writes to it.
    own = None if place is out else place
    result = _find_law(inputs, held_out, model_selection, progress, place, own)
    if own is not None:
        for text in own.notes:
            warnings.warn(text, RuntimeWarning, stacklevel=_find_stacklevel())
    if note := explain_short_search(result):
        warnings.warn(note, ShortSearchWarning, stacklevel=_find_stacklevel())
    return result


def _find_law(
    inputs: Inputs,
    held_out: Sequence[NDArray[np.bool_]],
    model_selection: str,
    progress: ProgressLike,
    place: Destination | None,
    own: Destination | None,
) -> Result:
    """The result of the search, or of several where rows are ``held_out``. ``place`` is where it goes, ``own`` the same where
    it is to be written here."""
    from hypo.problem.problem import make_problem
    from hypo.search.engine import search
    from hypo.search.memory import within
    from hypo.search.proposers.guesses import read_guesses
    from hypo.search.table_units import watched

    dataset, columns, background, settings = inputs
    settings = replace(settings, guesses=(*settings.guesses, *background.guesses))
    shown, report = _open_display(progress, dataset.target)
    problem = make_problem(dataset, background, settings)
    report = watched(report, problem)
    settings = within(problem, settings)
    read_guesses(problem, settings)
    if place is not None:
        place.settle(dataset.sha256)
    details: dict[str, Any] = {}
    # An answer is not lost to a second interrupt while the result is made and written.
    with interrupts.during_a_fit():
        with shown:
            if held_out:
                from hypo.search.validation import validated

                outcome, details = validated(dataset, background, settings, held_out, report)
            else:
                outcome = search(problem, settings, report)
        result = make_result(outcome, problem, settings, dataset, columns, model_selection, details)
        if interrupts.came() and result.status != "interrupted":
            result = replace(result, status="interrupted", message="interrupted by the user")
        if own is not None:
            own.write(result)
    return result


def _find_stacklevel() -> int:
    """The ``stacklevel`` at which a warning names the line of the user's program, whichever call of hypo stands there."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "hypo":
        frame, level = frame.f_back, level + 1
    return level


def _open_display(
    progress: ProgressLike, target: str
) -> tuple[AbstractContextManager[Any], Callable[[Progress], None] | None]:
    """A context that shows progress, and the function that feeds it."""
    if callable(progress):
        return nullcontext(), progress
    if progress is not None and not isinstance(progress, bool):
        raise InputError(f"progress must be True, False or a function that takes reports, got {progress!r}")
    if not (is_in_notebook() if progress is None else progress):
        return nullcontext(), None
    from hypo.report.display.progress import display_for, keep_up

    display = display_for(sys.stderr, target)
    return keep_up(display), display
