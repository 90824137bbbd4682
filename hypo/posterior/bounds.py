"""Worst-case bounds: an upper bound on the chance of an event that holds for every plausible structure.

With posterior weights w_1 ≥ w_2 ≥ … the plausible set at level α is

    M_α = { i : w_i ≥ α·Σ_{j≤i} w_j },

and max over M_α of P(E | h_i, x) is at least the true chance of the event E, with probability ≥ 1 - δ over the data and at all
sample sizes at once, where α ≤ δ·P(h*), the prior of the true structure h* (Bengio, Cohen, Malkin et al. 2024,
arXiv 2408.05284, Prop. 4.6; M_α is that of Cohen, Hutter & Nanda 2022). For 1/w_{h*} is a nonnegative supermartingale under h*
that begins at 1/P(h*) or below, so it exceeds 1/(δ·P(h*)) at some sample size with probability ≤ δ (Ville), and otherwise
w_{h*} ≥ α ≥ α·Σ.

**The prior of the truth** is not known and must be assumed: by default that the true structure's code length is at most
L = that of the likeliest one + ``SLACK`` nats, so P(h*) ≥ exp(-L)/Z with the Z of :mod:`hypo.scoring.prior` over formulas
that long. The assumption may change with the data: the bound then holds at all sample sizes at which it is true. Structures of
longer code are outside the assumed space and are left out, but for the likeliest.

**What is not proved.** The weights are shares among the structures that the search kept: this makes the share of a truth among
them larger, but one that was not kept has none. P(D|h) is Laplace's approximation and an integral over the constants' prior,
whose scale is the target's size: the guarantee is for constants that are drawn from it. A structure stands for all its variants
with the numbers of the best one.

P(E | h, x) is the mean over draws of constants and noise, as in :mod:`hypo.posterior.predictive`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.expression.printing import shortened
from hypo.likelihood.family import Family
from hypo.likelihood.registry import make_family
from hypo.posterior.events import Regions
from hypo.posterior.posterior import MOST_STRUCTURES, WITHIN, Structure
from hypo.posterior.predictive import BLOCK, Ensemble, draw, show_range
from hypo.scoring.prior import Prior

# Nats by which the truth's code may be longer than that of the likeliest structure, if nothing is said of its prior.
SLACK = 10.0
# Draws of one structure, as a share of those of a prediction.
DRAWN_SHARE = 0.5
# The average is over structures with so much of the weight.
AVERAGED = 0.9999


@dataclass(frozen=True)
class Assumed:
    """The level α = δ·prior of a plausible set, and the longest code of the assumed space (infinite: the prior was given)."""

    delta: float
    prior: float
    code_length: float = math.inf

    @property
    def alpha(self) -> float:
        """α."""
        return self.delta * self.prior


@dataclass(frozen=True)
class Bound:
    """Chances of an event in new rows (n_row,).

    ``upper`` is the worst case over the plausible set, ``worst`` the number of the structure that attains it in ``plausible``
    (-1 where none is defined), ``average`` the chance under the averaged posterior. NaN where no structure, or for ``average``
    structures with half the weight, are defined. ``remarks`` are the guarantee and its assumptions in sentences.
    """

    upper: NDArray[np.float64]
    average: NDArray[np.float64]
    worst: NDArray[np.int64]
    plausible: tuple[Structure, ...]
    event: str
    delta: float
    prior: float
    alpha: float
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        count = len(self.upper)
        chances = f"upper {show_range(self.upper)}, average {show_range(self.average)}"
        return f"<Bound on {shortened(self.event)} in {count} row{'s' * (count != 1)}; {chances}, delta {self.delta:g}>"

    def as_dict(self) -> dict[str, Any]:
        """Plain values; None stands for NaN."""
        rows = zip(self.upper, self.average, self.worst, strict=True)
        return {
            "event": self.event,
            "delta": self.delta,
            "prior": self.prior,
            "alpha": self.alpha,
            "plausible": [{"expression": str(s.expression), "weight": s.weight} for s in self.plausible],
            "rows": [
                {
                    "bound": None if np.isnan(upper) else float(upper),
                    "chance": None if np.isnan(average) else float(average),
                    "worst": None if k < 0 else int(k),
                }
                for upper, average, k in rows
            ],
            "remarks": list(self.remarks),
        }

    def formulas(self) -> list[str]:
        """The formula that attains ``upper`` in each row, empty where none is defined."""
        shown = [s.expression.pretty() for s in self.plausible]
        return [shown[k] if k >= 0 else "" for k in self.worst]


def assume(
    structures: Sequence[Structure], delta: float, record: Prior | None, prior: float | None = None
) -> Assumed | None:
    """The prior of the truth: ``prior`` if it is given, else as in the module; None where the code lengths are not known."""
    if prior is not None:
        return Assumed(delta, prior)
    first = None if record is None else record.code_lengths.get(str(structures[0].expression))
    if record is None or first is None:
        return None
    longest = first + SLACK
    return Assumed(delta, math.exp(-longest - record.log_normaliser(longest)), longest)


def mark_plausible(weights: NDArray[np.float64], alpha: float) -> NDArray[np.bool_]:
    """M_α as a mask (n,) for weights (n,) ≥ 0 in any order, which need not add up to 1; ties stand in or out together."""
    order = np.argsort(-weights, kind="stable")
    falling = weights[order]
    # Equal weights have no order: each is held against the sum before all of them and itself.
    before = np.searchsorted(-falling, -falling, side="left")
    sums = np.concatenate([[0.0], np.cumsum(falling)])
    inside = np.empty(len(weights), dtype=bool)
    inside[order] = falling >= alpha * (sums[before] + falling)
    return inside & (weights > 0)


def select_plausible(
    structures: Sequence[Structure], level: Assumed, record: Prior | None = None
) -> tuple[Structure, ...]:
    """The structures in M_α, by falling weight; those of longer code than assumed are no part of the space."""
    lengths = {} if record is None else record.code_lengths
    space = [
        s for k, s in enumerate(structures) if k == 0 or lengths.get(str(s.expression), -math.inf) <= level.code_length
    ]
    inside = mark_plausible(np.array([s.weight for s in space]), level.alpha)
    return tuple(s for s, kept in zip(space, inside, strict=True) if kept)


def reaches(structures: Sequence[Structure], level: Assumed) -> bool:
    """True if the posterior was kept as far down as M_α goes: it ends ``WITHIN`` nats below the likeliest structure, or at the
    first ``MOST_STRUCTURES``."""
    least = structures[-1].weight if len(structures) >= MOST_STRUCTURES else structures[0].weight * math.exp(-WITHIN)
    return level.alpha >= least


def event_probability(
    s: Structure,
    regions: Regions,
    X: NDArray[np.float64],
    columns: Sequence[str],
    seed: int = 0,
    family: Family | None = None,
    trials: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """P(E | s, x) for each of the rows ``X`` (n_var, n_row); NaN where the formula is impossible for half its draws or more."""
    family = family or make_family()
    # Without constants and with known noise all draws are one.
    several = bool(s.constants) or math.isfinite(s.dof)
    draws = draw(replace(s, weight=DRAWN_SHARE if several else 1e-9), np.random.default_rng(seed))
    ensemble = Ensemble([s], [draws], columns, family)
    n = X.shape[1]
    trials = np.ones(n) if trials is None else trials
    out = np.empty(n)
    for first in range(0, n, BLOCK):
        rows = slice(first, min(first + BLOCK, n))
        with np.errstate(all="ignore"):
            block = np.ascontiguousarray(X[:, rows])
            centre, scale = ensemble.values(block), ensemble.noise(block)
        known = family.is_possible(centre)
        centre = np.where(known, centre, 1.0)

        around = centre, scale, trials[rows]

        def cdf(t: NDArray[np.float64], around: tuple[NDArray[np.float64], ...] = around) -> NDArray[np.float64]:
            return family.cdf(t, *around)

        chance = regions.rows(rows).probability(cdf, centre.shape, family.is_discrete)
        weight = draws.weight[:, None] * known
        total = weight.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[rows] = np.where(2 * total > draws.weight.sum(), np.sum(weight * chance, axis=0) / total, np.nan)
    out[regions.undefined] = np.nan
    return out


class NewRows(NamedTuple):
    """Rows ``X`` (n_var, n_row) to speak of, with ``columns`` naming its lines; ``trials`` (n_row,) are those of binomial
    targets, 1 by default."""

    X: NDArray[np.float64]
    columns: Sequence[str]
    trials: NDArray[np.float64] | None = None


def bound(
    structures: Sequence[Structure],
    level: Assumed,
    regions: Regions,
    rows: NewRows,
    event: str,
    record: Prior | None = None,
    family: Family | None = None,
) -> Bound:
    """The worst case over the plausible set among ``structures``, by falling weight, for each of ``rows``."""
    inside = select_plausible(structures, level, record)
    n = rows.X.shape[1]
    upper, worst = np.full(n, np.nan), np.full(n, -1, dtype=np.int64)
    held, total = np.zeros(n), np.zeros(n)
    numbers = {id(s): k for k, s in enumerate(inside)}
    heavy = int(np.searchsorted(np.cumsum([s.weight for s in structures]), AVERAGED)) + 1
    for k, s in enumerate(structures):
        if k >= heavy and id(s) not in numbers:
            continue
        chance = event_probability(s, regions, rows.X, rows.columns, 0, family, rows.trials)
        known = ~np.isnan(chance)
        held += np.where(known, s.weight * chance, 0.0)
        total += np.where(known, s.weight, 0.0)
        if id(s) in numbers:
            better = known & ~(chance <= upper)
            upper[better], worst[better] = chance[better], numbers[id(s)]
    with np.errstate(invalid="ignore", divide="ignore"):
        average = np.where(total > 0.5 * sum(s.weight for s in structures), held / total, np.nan)
    return Bound(upper, average, worst, inside, event, level.delta, level.prior, level.alpha)
