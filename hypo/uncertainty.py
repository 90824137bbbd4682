"""What is asked of a result's posterior: worst-case bounds, and what to measure next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.errors import InputError
from hypo.report.bounds import bound_remarks, require_coverage
from hypo.report.suggestions import Suggestions, domain_of, repeats, suggestion_remarks
from hypo.scoring.bounds import Bound, assumed, bound, plausible, reaches
from hypo.scoring.design import suggest
from hypo.scoring.events import parse_event
from hypo.scoring.family import CUSTOM
from hypo.scoring.prior import Prior

if TYPE_CHECKING:
    from hypo.result import Result

# Suggestions average over the structures that have this share of the posterior, and over so many at least: a law that is nearly
# certain would have no rivals to be held against.
AVERAGED, RIVALS = 0.99, 5


def bounded(result: Result, event: str, data: Any, delta: float, prior: float | None, trials: Any = None) -> Bound:
    """:meth:`hypo.Result.bound`."""
    result._found()
    for name, value in (("delta", delta), ("prior", 1.0 if prior is None else prior)):
        if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < value <= 1.0:
            raise InputError(f"{name} must be a probability above 0 and at most 1, got {value!r}")
    structures = result._weighed("bounds").structures
    _distribution(result, "bounds")
    scales, record = result.settings["scales"], result.manifest.get("prior")
    # Named constants of formulas in other units than the table's would be wrong beside the user's numbers.
    named = {} if any(v != 1.0 for v in scales.values()) else result.settings["constants"]
    asked = parse_event(event, variables=result.features, target=result.target, constants=named)
    known = None if record is None else Prior.read(record)
    level = assumed(structures, float(delta), known, None if prior is None else float(prior))
    if level is None:
        raise InputError("this result does not say how likely structures are beforehand (an older version): give a prior")
    inside = plausible(structures, level, known)
    complete_to = result.coverage.complete_to
    require_coverage(inside, complete_to, exact=result.status == "exact")
    needed = tuple(dict.fromkeys((*(n for s in structures for n in s.expression.variables), *asked.variables)))
    X = np.ascontiguousarray(result._columns(data, needed).T)
    factors = np.array([scales.get(name, 1.0) for name in needed])[:, None]
    regions = asked.regions(X, needed, float(scales.get(result.target, 1.0)))
    n = result._trials(data, trials, X.shape[1])
    rows = np.ascontiguousarray(X * factors)
    found = bound(structures, level, regions, rows, needed, str(asked), known, result.family, n)
    missing = int(np.count_nonzero(np.isnan(found.upper)))
    remarks = bound_remarks(inside, len(structures), level, reaches(structures, level), complete_to)
    remarks = (*remarks, *(f"{text[0].upper()}{text[1:]}." for text in cautions(result, trials)))
    if missing:
        nowhere = (
            f"There is no bound in {missing} of {len(found.upper)} rows: the event or likely formulas are undefined there, or "
            "a cell is missing."
        )
        remarks = (*remarks, nowhere)
    return replace(found, remarks=remarks)


def suggested(result: Result, domain: Mapping[str, Sequence[float]] | None, n: int) -> Suggestions:
    """:meth:`hypo.Result.suggest`."""
    result._found()
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
        raise InputError(f"the number of suggestions must be a whole number, 1 or more, got {n!r}")
    posterior = result._weighed("suggestions")
    share = sum(s.weight for s in posterior.structures[:RIVALS])
    structures = posterior.top(max(AVERAGED, share - 1e-12))
    _distribution(result, "suggestions")
    if not result.family.has_variance:
        raise InputError(
            "targets of Student's t with 2 degrees of freedom or fewer have no variance to hold disagreement against, so there "
            "are no suggestions; fit with a larger dof"
        )
    box = domain_of(domain, result.features, result.settings.get("ranges", {}))
    used = tuple(name for name in result.features if any(name in s.expression.variables for s in structures))
    if not used:
        raise InputError("the likely formulas use no column, so that no measurement tells them apart; search longer")
    scales = result.settings["scales"]
    factors = np.array([scales.get(name, 1.0) for name in used])
    low, high = (np.array([box[name][k] for name in used]) * factors for k in (0, 1))
    found = suggest(structures, used, low, high, int(n), family=result.family)
    if found is None:
        raise InputError("the likely formulas are undefined all over the domain; choose another")
    points = np.tile([0.5 * (low + high) for low, high in box.values()], (int(n), 1))
    for name, values in zip(used, (found.points / factors).T, strict=True):
        points[:, result.features.index(name)] = np.clip(values, *box[name])
    unit = float(scales.get(result.target, 1.0))
    unused = [name for name in result.features if name not in used]
    return Suggestions(
        columns=result.features,
        points=points,
        mean=found.mean / unit,
        disagreement=found.disagreement / unit,
        noise=found.noise / unit,
        information=found.information,
        target=result.target,
        domain=box,
        remarks=suggestion_remarks(found.information, unused, structures[0].weight > AVERAGED, repeats(points, box)),
    )


def cautions(result: Result, trials: Any = None, noise: bool = True, std: bool = False) -> list[str]:
    """What new targets were taken to be where the table of the fit had more to say, without full stops; ``noise`` says that
    their noise counts, ``std`` that standard deviations are shown."""
    out = []
    if std and not result.family.has_variance:
        out.append(
            f"targets of Student's t with {result.family.dof:g} degrees of freedom, 2 or fewer, have an infinite variance, so "
            f"{result.target}_std is empty; the intervals hold all the same"
        )
    if result.settings.get("trials") and trials is None:
        out.append("every row was taken as one trial, although the table of the fit had numbers of trials; give trials")
    if noise and result.settings.get("x_sigma"):
        out.append("errors of the columns, and of the target itself, were taken as large as in the fit's rows on average")
    return out


def _distribution(result: Result, what: str) -> None:
    """Raises InputError where nothing is known of the distribution of new targets."""
    if result.family.kind == CUSTOM:
        raise InputError(f"a likelihood of your own says nothing of new targets, so there are no {what}")
