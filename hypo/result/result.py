"""The result of a search: the best formula, the front, and how far the search can be trusted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from hypo.errors import InputError
from hypo.keywords import check_methods
from hypo.report import remarks, tables
from hypo.report.console import as_text
from hypo.report.layout import wrap_sentences
from hypo.report.remarks import summarize
from hypo.result.fields import ResultFields, find_formula
from hypo.result.file import RESULT_FILE, damage_error, front_csv, read_content, read_fields, to_dict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hypo.data import Dataset
    from hypo.posterior.bounds import Bound
    from hypo.posterior.predictive import Prediction
    from hypo.report.constants import ConstantRow
    from hypo.report.questions.suggestions import Suggestions
    from hypo.scoring.score import Hypothesis


@check_methods
@dataclass(frozen=True)
class Result(ResultFields):
    """The result that :func:`hypo.fit` returns and ``result.json`` holds.

    ``front`` has rising complexity and falling misfit, also beyond the least score, where the score does not believe formulas
    any more; ``best`` is its member of least score, or what another ``model_selection`` chose, None when nothing was found.
    ``status`` is ``exact``, ``complete``, ``time_limit``, ``interrupted`` or ``nothing_found``, and ``message`` says the same
    in a sentence. ``record`` has all that the fit was given, with the units of the columns, which are those of all formulas and
    constants; ``manifest`` is the same as ``result.json`` has it. ``rules`` says of each rule of the knowledge how ``best``
    fares and what it did to others. ``posterior`` weighs all structures that the search kept; None where the rows are too few
    for it, and in results of older versions. ``failures`` are unexpected errors of parts that were left out, with their
    tracebacks, which ``save`` writes to ``failures.txt``; the record names them.
    """

    # --- the formula -------------------------------------------------------------------------------------

    def found(self, index: int | None = None) -> Hypothesis:
        """Formula number ``index`` of the front, the best one by default.

        Raises:
            InputError: the front has no such formula.
            HypoError: the search found none.
        """
        return find_formula(self, index)

    def in_units(self, units: str) -> Result:
        """The result with formulas and constants in other units: ``"columns"``, as it is, or ``"si"``. In SI it takes rows in
        SI too, and has no data. Raises InputError for other ``units``."""
        from hypo.result.conversion import convert_result

        return convert_result(self, units)

    def sympy(self, index: int | None = None, units: str = "columns") -> Any:
        """The best formula, or number ``index`` of the front, as a sympy expression; ``units`` as in :meth:`in_units`."""
        formula: Any = self.in_units(units).found(index).expression
        return formula.sympy()

    def latex(self, index: int | None = None, units: str = "columns") -> str:
        """LaTeX source of the best formula, or of number ``index`` of the front; ``units`` as in :meth:`in_units`."""
        return self.in_units(units).found(index).expression.latex()

    @overload
    def predict(
        self,
        data: Any,
        index: int | None = None,
        *,
        return_std: Literal[False] = False,
        interval: None = None,
        trials: Any = None,
    ) -> NDArray[np.float64]: ...

    @overload
    def predict(
        self,
        data: Any,
        index: int | None = None,
        *,
        return_std: Literal[True],
        interval: float | None = None,
        trials: Any = None,
    ) -> Prediction: ...

    @overload
    def predict(
        self,
        data: Any,
        index: int | None = None,
        *,
        return_std: bool = False,
        interval: float | None = None,
        trials: Any = None,
    ) -> NDArray[np.float64] | Prediction: ...

    def predict(
        self,
        data: Any,
        index: int | None = None,
        *,
        return_std: bool = False,
        interval: float | None = None,
        trials: Any = None,
    ) -> NDArray[np.float64] | Prediction:
        """The target, in its own unit, for new rows; NaN where the formula is undefined. For binomial targets, whose formula is
        the log-odds, the chance of success, or with ``trials`` the expected number of successes.

        Args:
            data: an array (n_row, n_col) with the columns of the fit in their order (or (n_row,) if there
                is one), a DataFrame or mapping with those columns by name, or the path of a CSV file. Where
                a header states another unit than the fit's, the numbers are converted.
            index: which formula of the front; the best one by default.
            return_std: average over the posterior instead, and say how sure it is.
            interval: the same; probability that the interval of each row holds the target, 0.9 by default.
            trials: of binomial targets: a number, (n_row,), or the name of a column of ``data``; 1 by default.

        Returns:
            shape (n_row,); with ``return_std`` or ``interval`` a :class:`~hypo.posterior.predictive.Prediction`: the mean over
            structures and constants, standard deviation and interval (noise of one row included), and the parts of the
            standard deviation that noise, constants and structures have. With the likelihood ``student_t`` of 2 degrees of
            freedom or fewer the standard deviation is infinite, and the interval still right.

        Raises:
            DataError: a column that the formula needs is missing, or the shape is wrong.
            HypoError: the search found no formula.
            InputError: an interval is wanted of one formula of the front, of a result without a posterior, or with a
                likelihood of the user's own, which says nothing of new targets.
        """
        from hypo.result.prediction import predict_distribution, predict_formula

        if return_std or interval is not None:
            return predict_distribution(self, data, index, 0.9 if interval is None else interval, trials)
        return predict_formula(self, data, index, trials)

    def sample(
        self, data: Any, n: int = 100, *, noise: bool = True, seed: int = 0, trials: Any = None
    ) -> NDArray[np.float64]:
        """``n`` draws from the posterior predictive distribution of new rows together: each draw has one structure and one set
        of constants for all rows, so that sums, differences and extremes over rows can be taken draw by draw.

        Args:
            data: new rows, as for :meth:`predict`.
            n: how many draws.
            noise: with the noise of each row; without it the expected targets of the drawn formula.
            seed: the same seed gives the same draws.
            trials: of binomial targets, as for :meth:`predict`.

        Returns:
            shape (n, n_row), in the target's unit; NaN where the drawn formula is undefined.

        Raises:
            DataError: a column that the formulas need is missing.
            InputError: ``n`` or ``seed`` is no whole number in range, or the result has no posterior or a likelihood of the
                user's own.
        """
        from hypo.result.prediction import draw_samples

        return draw_samples(self, data, n, noise, seed, trials)

    def bound(
        self, event: str, data: Any, *, delta: float = 0.05, prior: float | None = None, trials: Any = None
    ) -> Bound:
        """An upper bound on the chance of an event in new rows, over all plausible structures (:mod:`hypo.posterior.bounds`).

        Args:
            event: statement on the target, such as ``"y > 5"``, ``"2 < y <= 3*x"`` or ``"y < 1 or y > 4"``, in the units of the
                user's table.
            data: new rows, as for :meth:`predict`.
            delta: probability, over the data, that the true chance is above the bound somewhere.
            prior: least prior probability that the law's structure is assumed to have; by default that its code is at most 10
                nats longer than that of the likeliest structure.
            trials: of binomial targets, as for :meth:`predict`.

        Returns:
            the bound, the structure that attains it and the chance under the averaged posterior (n_row,); sentences on the
            guarantee and what it assumes.

        Raises:
            FormulaError: the event cannot be read.
            InputError: a number is out of range, there is no posterior, or the search covered so little that the bound would
                say nothing.
            DataError: a column is missing.
        """
        from hypo.result.uncertainty import compute_bound

        return compute_bound(self, event, data, delta, prior, trials)

    def suggest(
        self, domain: Mapping[str, Sequence[float]] | None = None, n: int = 5, distinct: bool = False
    ) -> Suggestions:
        """``n`` rows to measure next: where the plausible hypotheses disagree most per unit of noise
        (:mod:`hypo.posterior.design`).

        Args:
            domain: lower and upper end of columns by name, ``{"x": (0, 10)}``, in the units of the user's table. By default,
                and for columns that are left out, the range of the data with a quarter of it on either side, not across 0.
            n: how many; each is chosen given those before it.
            distinct: no row twice, although measuring one again may tell more than any other does.

        Raises:
            InputError: the domain names no column or is empty, there is no posterior, or the hypotheses are undefined there.
        """
        from hypo.result.uncertainty import suggest_rows

        return suggest_rows(self, domain, n, distinct)

    def profile(
        self,
        index: int | None = None,
        level: float = 0.95,
        *,
        data: Any = None,
        sigma: Any = None,
        weights: Any = None,
        trials: Any = None,
        censored: Any = None,
        lower: Any = None,
        upper: Any = None,
        x_sigma: Any = None,
        thousands: str | None = None,
        log_likelihood: Any = None,
    ) -> tuple[ConstantRow, ...]:
        """Profile-likelihood intervals of the constants of one formula (:mod:`hypo.fitting.profile`; Bates & Watts
        1988, chapter 6): all values θ of a constant for which, with all others fitted anew, the loss R is

            (R(θ) - R̂)/(R̂/ν) ≤ F(level; 1, ν)  with noise unknown,    R(θ) - R̂ ≤ χ²(level; 1)  with noise known,

        and of other likelihoods with an unknown scale as the module has it.

        Args:
            index: which formula of the front; the best one by default.
            level: probability that an interval holds its constant.
            data: the table of the fit, as it was given there. A result that :func:`hypo.fit` returned has it; one that was
                loaded has not.
            sigma, weights, trials, censored, lower, upper, x_sigma, thousands: with ``data``, as in :func:`hypo.fit`.
            log_likelihood: your own likelihood, if the fit had one.

        Returns:
            the constants as in ``constants``, with the ends of these intervals: None where the data do not bound a constant on
            that side, and for numbers that were not fitted. In the units of the formula.

        Raises:
            InputError: the level is no probability, there are no data or others than those of the fit, or they leave no degree
                of freedom.
            DataError: the table cannot be read.
            HypoError: the search found no formula.
        """
        from hypo.result.uncertainty import compute_profile

        table = {
            "sigma": sigma,
            "weights": weights,
            "trials": trials,
            "censored": censored,
            "lower": lower,
            "upper": upper,
            "x_sigma": x_sigma,
            "thousands": thousands,
        }
        return compute_profile(self, index, level, data, table, log_likelihood)

    def plot(self, path: str | os.PathLike[str] | None = None, data: Dataset | None = None) -> Figure:
        """A figure with the law over the data and the front; also written to ``path`` when given.

        The data are those of the fit; a loaded result has none, so give ``data`` or get the front alone.
        """
        from hypo.report.display.plot import draw_result

        figure = draw_result(self, data or self.data)
        if path is not None:
            try:
                figure.savefig(path, dpi=150)
            except (OSError, ValueError) as error:
                raise InputError(f"cannot write the plot to {os.fspath(path)}: {error}; choose another file") from error
        return figure

    # --- in and out --------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The content of ``result.json``; None stands for NaN and infinities."""
        return to_dict(self)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Result:
        """The result whose :meth:`to_dict` is ``content``; raises ValueError, or LookupError, if there is none."""
        from hypo.result.conversion import convert_from_si

        result = Result(**read_fields(content))
        return result if result.record.units.is_of_columns else convert_from_si(result)

    def to_json(self) -> str:
        """The text of ``result.json``."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def front_csv(self) -> str:
        """The text of ``front.csv``: one line per formula, numbers in full precision."""
        return front_csv(self)

    def save(self, folder: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Write ``result.json`` and ``front.csv``, and ``failures.txt`` where something failed.

        Raises InputError where the folder cannot be written, holds other files, or the result of other data that is not to be
        lost (``overwrite``).
        """
        from hypo.result.folders import save

        return save(self, folder, overwrite)

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> Result:
        """The result saved in ``folder``, or in a ``result.json``; raises InputError when there is none."""
        if not isinstance(folder, str | os.PathLike):
            raise InputError(f"the folder of a result must be a path, got {folder!r}")
        path = Path(folder)
        if path.is_dir():
            path = path / RESULT_FILE
        content = read_content(path)
        try:
            return Result.from_dict(content)
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
            raise damage_error(path, error) from error

    # --- for people --------------------------------------------------------------------------------------

    def constant_lines(self) -> list[str]:
        """The fitted constants of the best formula that have a known unit or a standard error, one line each."""
        return remarks.constant_lines(self)

    def remarks(self) -> list[str]:
        """How the search ended, what it covered, and notes on data and units, one sentence each."""
        return remarks.remarks(self)

    def __str__(self) -> str:
        if self.best is None:
            return wrap_sentences(self.remarks())
        front = as_text(tables.make_front_table(self.front, self.best, self.target))
        law = tables.write_law(self.best, self.target, self.constant_lines())
        others = [line for table in remarks.make_tables_below(self) for line in (as_text(table), "")]
        return "\n".join([law, "", front, "", *others, wrap_sentences(self.remarks())])

    def __repr__(self) -> str:
        return f"<Result {summarize(self)}>"

    def _repr_html_(self) -> str:
        from hypo.report.display.html import write_result

        return write_result(self)

    def _repr_latex_(self) -> str | None:
        from hypo.report.display.html import write_mathematics

        return None if self.best is None else write_mathematics(self.best, self.target)
