"""``hypo.fit``: search for the law behind a table."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from hypo import interrupts
from hypo.api.inputs import make_folds
from hypo.api.make_result import make_result
from hypo.api.other_names import IN_FUNCTIONS
from hypo.api.parameters.calls import complete_arguments, describe
from hypo.api.parameters.parameter import FIT
from hypo.api.validate import Inputs, validate_inputs
from hypo.errors import ShortSearchWarning
from hypo.keywords import check_keywords
from hypo.report.display.notebook import is_in_notebook
from hypo.report.remarks import explain_short_search
from hypo.result.folders import Destination, as_folder
from hypo.result.result import Result
from hypo.starting import count_from_call

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hypo.api.parameters.typed import FitSettings, ProgressLike
    from hypo.search.outcome import Progress


@check_keywords(IN_FUNCTIONS, "hypo.fit")
@describe(FIT)
@count_from_call
def fit(data: Any, target: Any = None, **settings: Unpack[FitSettings]) -> Result:
    """Search for the law behind a table: min over h of misfit(h) + complexity(h) + λ·violation(h), in nats.

    Args:
        **settings: see :class:`hypo.api.parameters.typed.FitSettings`.

    Returns:
        the result; ``best`` is None when nothing acceptable was found. Ctrl-C ends the search with the best so far, a second
        one cuts its finishing short. Warns (:class:`~hypo.errors.ShortSearchWarning`) where the time limit came before anything
        better than a constant.

    Raises:
        DataError, KnowledgeError, UnitError: the input cannot be used; the message says where and why.
        InputError: a setting or a guess is wrong, no scheduler answers, or there is no GPU.
        MissingExtraError: PySR, Julia, PyTorch or Dask is wanted and not there; the message says how to get it.
    """
    given = complete_arguments(FIT, settings)
    out = given["out"]
    place = (
        out
        if isinstance(out, Destination) or out is None
        else Destination(as_folder(out), overwrite=given["overwrite"])
    )
    if place is not None:
        place.check()
    inputs = validate_inputs(data, target, given)
    by = given["model_selection"]
    held_out = make_folds(inputs.dataset, by, given["validation_fraction"], given["folds"], inputs.settings)
    # Who gave a destination writes to it.
    own = None if place is out else place
    result = _find_law(inputs, held_out, by, given["progress"], place, own)
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
    from hypo.search.library.memory import within
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
        if interrupts.has_come() and result.status != "interrupted":
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
    if not (is_in_notebook() if progress is None else progress):
        return nullcontext(), None
    from hypo.report.display.progress import choose_display, keep_up

    display = choose_display(sys.stderr, target)
    return keep_up(display), display
