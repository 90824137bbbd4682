"""Questions to a result: worst-case bounds, what to measure next, and profile-likelihood intervals of constants."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.data import Dataset
from hypo.errors import InputError
from hypo.posterior.bounds import Bound, NewRows, assume, bound, reaches, select_plausible
from hypo.posterior.design import suggest
from hypo.posterior.events import parse_event
from hypo.report.constants import ConstantRow, list_constants, name_constants
from hypo.report.questions.bounds import explain_bound, require_coverage
from hypo.report.questions.suggestions import Suggestions, choose_domain, count_repeats, explain_suggestions
from hypo.result.fields import ResultFields, find_formula
from hypo.result.new_rows import choose_thousands, read_columns, read_trials
from hypo.result.prediction import AVERAGED, require_distribution, require_level, require_posterior

if TYPE_CHECKING:
    from hypo.expression.expr import Expression

# Suggestions average over so many structures at least: a law that is nearly certain would have no rivals to be held against.
RIVALS = 5
# Beyond these only structures that are no less likely than the best one by more than this factor.
UNLIKELY = 100.0
# Most suggestions: each takes some hundredths of a second, and they must end.
MOST = 1000


def compute_bound(
    result: ResultFields, event: str, data: Any, delta: float, prior: float | None, trials: Any = None
) -> Bound:
    """:meth:`hypo.Result.bound`."""
    find_formula(result)
    for name, value in (("delta", delta), ("prior", 1.0 if prior is None else prior)):
        if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < value <= 1.0:
            raise InputError(f"{name} must be a probability above 0 and at most 1, got {value!r}")
    structures = require_posterior(result, "bounds").structures
    require_distribution(result, "bounds")
    known, named = result.record.prior, result.record.units.constants
    asked = parse_event(event, variables=result.features, target=result.target, constants=named)
    level = assume(structures, float(delta), known, None if prior is None else float(prior))
    if level is None:
        raise InputError(
            "this result does not say how likely structures are beforehand (an older version): give a prior"
        )
    inside = select_plausible(structures, level, known)
    complete_to = result.coverage.complete_to
    size = count_nodes(result, inside[0].expression)
    require_coverage(inside, complete_to, size, exact=result.status == "exact")
    needed = tuple(dict.fromkeys((*(n for s in structures for n in s.expression.variables), *asked.variables)))
    X = np.ascontiguousarray(read_columns(result, data, needed).T)
    regions = asked.regions(X, needed)
    n = read_trials(result, data, trials, X.shape[1])
    found = bound(structures, level, regions, NewRows(X, needed, n), str(asked), known, result.family)
    missing = int(np.count_nonzero(np.isnan(found.upper)))
    remarks = explain_bound(inside, len(structures), level, reaches(structures, level), complete_to)
    remarks = (*remarks, *(f"{text[0].upper()}{text[1:]}." for text in cautions(result, trials)))
    if missing:
        nowhere = (
            f"There is no bound in {missing} of {len(found.upper)} rows: the event or likely formulas are undefined there, or "
            "a cell is missing."
        )
        remarks = (*remarks, nowhere)
    return replace(found, remarks=remarks)


def suggest_rows(
    result: ResultFields, domain: Mapping[str, Sequence[float]] | None, n: int, distinct: bool = False
) -> Suggestions:
    """:meth:`hypo.Result.suggest`."""
    find_formula(result)
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
        raise InputError(f"the number of suggestions must be a whole number, 1 or more, got {n!r}")
    if n > MOST:
        raise InputError(
            f"the number of suggestions must be at most {MOST}, got {n}: each is chosen given all before it"
        )
    posterior = require_posterior(result, "suggestions")
    share = sum(s.weight for s in posterior.structures[:RIVALS])
    structures = posterior.top(max(AVERAGED, share - 1e-12))
    # An unlikely law with a pole somewhere would ask for a row there, and nothing but that.
    structures = tuple(s for k, s in enumerate(structures) if k < RIVALS or s.odds <= UNLIKELY)
    require_distribution(result, "suggestions")
    if not result.family.has_variance:
        raise InputError(
            f"targets of {result.family.without_variance} have no variance to hold disagreement against, so there are no "
            f"suggestions; fit with {'a larger dof' if 'dof' in result.family.parameters else 'another likelihood'}"
        )
    box = choose_domain(domain, result.features, result.record.table.ranges)
    used = tuple(name for name in result.features if any(name in s.expression.variables for s in structures))
    if not used:
        raise InputError("the likely formulas use no column, so that no measurement tells them apart; search longer")
    low, high = (np.array([box[name][k] for name in used]) for k in (0, 1))
    found = suggest(structures, used, low, high, int(n), family=result.family, distinct=bool(distinct))
    if found is None:
        less = " or has no more different rows where they are defined; ask for fewer, or" if distinct else ";"
        raise InputError(f"the likely formulas are undefined all over the domain{less} choose another")
    points = np.tile([0.5 * (low + high) for low, high in box.values()], (int(n), 1))
    for name, values in zip(used, found.points.T, strict=True):
        points[:, result.features.index(name)] = np.clip(values, *box[name])
    unused = [name for name in result.features if name not in used]
    return Suggestions(
        columns=result.features,
        points=points,
        mean=found.mean,
        disagreement=found.disagreement,
        noise=found.noise,
        information=found.information,
        target=result.target,
        domain=box,
        remarks=explain_suggestions(
            found.information, unused, structures[0].weight > AVERAGED, count_repeats(points, box), posterior.unearned
        ),
    )


def compute_profile(
    result: ResultFields, index: int | None, level: float, data: Any, table: Mapping[str, Any], log_likelihood: Any
) -> tuple[ConstantRow, ...]:
    """:meth:`hypo.Result.profile`; ``table`` has what the data have beside columns and target, by the names of
    :func:`hypo.fit`."""
    from hypo.fitting.profile import profile_intervals
    from hypo.likelihood.registry import make_family
    from hypo.problem.from_table import require_table, rows_of

    chosen = find_formula(result, index)
    require_level(level)
    shown = result.constants[result.front.index(chosen)]
    e = name_constants(chosen.expression, shown)
    dataset = _require_data_of_fit(result, data, table)
    family = result.family
    if family.is_users_own != (log_likelihood is not None):
        needs = "needs it again: give log_likelihood" if log_likelihood is None else f"is {family.kind}: leave it out"
        raise InputError(f"log_likelihood is that of the fit, and this one {needs}")
    if log_likelihood is not None:
        family = make_family(None, None, log_likelihood)
    require_table(dataset, family)
    names = (*dataset.names, dataset.target)
    X, _, likelihood = rows_of(dataset, family, dict.fromkeys(names, 1.0))
    found = profile_intervals(e, X, dataset.names, likelihood, float(level))
    if e.free and not found:
        raise InputError(
            f"{e.pretty()} has no intervals: the data leave it no degree of freedom, or it is undefined on some row"
        )
    ends = {i.leaf: (i.lower, i.upper) for i in found}
    rows = list_constants(e, None, (*names, *result.record.units.constants), None, ends)
    return tuple(replace(old, lower=new.lower, upper=new.upper) for old, new in zip(shown, rows, strict=True))


def _require_data_of_fit(result: ResultFields, data: Any, table: Mapping[str, Any]) -> Dataset:
    """The table of the fit: ``data``, or what the result holds. Raises InputError where that is another one, or none."""
    from hypo.data import TableOptions, as_dataset

    fitted = result.record.table
    given = [name for name, value in table.items() if value is not None]
    if data is None:
        if result.data is None:
            raise InputError(
                "profile intervals need the data of the fit, which a result does not keep in its file: give data"
            )
        if given:
            raise InputError(f"{given[0]} goes with data, and without data the table of the fit is taken, as it was")
        return result.data
    if isinstance(data, str | os.PathLike):
        table = {**table, "thousands": choose_thousands(result, table.get("thousands"))}
    arrays = not (
        isinstance(data, str | os.PathLike | Mapping) or hasattr(data, "columns") or isinstance(data, Dataset)
    )
    features = fitted.order if arrays else fitted.features
    options = TableOptions(features=features, drop_missing=bool(fitted.n_dropped), **table)
    dataset, _ = as_dataset(data, fitted.target, options)
    has = {
        "sigma": (dataset.sigma is not None, fitted.has_sigma),
        "weights": (dataset.weights is not None, fitted.has_weights),
        "trials": (dataset.trials is not None, fitted.has_trials),
        "x_sigma": (bool(dataset.x_sigma), bool(fitted.x_sigma)),
        "limits (censored, lower or upper)": (dataset.lower is not None, fitted.is_censored),
    }
    for name, (is_given, was_given) in has.items():
        if is_given and not was_given:
            raise InputError(f"the fit had no {name}: leave it out")
        if was_given and not is_given:
            raise InputError(f"the fit had {name}: give what it was given")
    if dataset.sha256 != result.record.data_sha256:
        raise InputError(
            f"{dataset.source}: this is not the table of the fit, whose numbers were others; give that one"
        )
    return dataset


def count_nodes(result: ResultFields, e: Expression) -> float:
    """The nodes that a formula had in the search: factors between units are no part of it."""
    own = next((h.complexity for h in result.front if h.expression == e), math.inf)
    return min(own, len(e))


def cautions(result: ResultFields, trials: Any = None, noise: bool = True, std: bool = False) -> list[str]:
    """Sentences on what new targets were taken to be where the table of the fit had more to say, without full stops;
    ``noise`` says that their noise counts, ``std`` that standard deviations are shown."""
    out = []
    if std and not result.family.has_variance:
        out.append(
            f"targets of {result.family.heavy_tails} have an infinite variance, so "
            f"{result.target}_std is empty; the intervals hold all the same"
        )
    if result.record.table.has_trials and trials is None:
        out.append("every row was taken as one trial, although the table of the fit had numbers of trials; give trials")
    if noise and result.record.table.x_sigma:
        out.append(
            "errors of the columns, and of the target itself, were taken as large as in the fit's rows on average"
        )
    if noise and result.posterior is not None and result.posterior.unearned:
        out.append(f"this averages over the formulas that the search met, and {result.posterior.unearned}")
    # Results of earlier versions have intervals then.
    n = result.record.table.n_row or 0
    if (
        noise
        and result.status == "exact"
        and result.best is not None
        and 0 < n <= count_nodes(result, result.best.expression)
    ):
        out.append(
            f"the {n} rows of the fit are met exactly, so no noise was seen, but so may other formulas of this size do"
        )
    return out
