"""Posterior over structures: the archive's hypotheses weighted by evidence times prior, each structure counted once.

The weight of a hypothesis h is P(h|D) ∝ P(D|h)·P(h): the evidence of :mod:`hypo.posterior.laplace` times
P(h) = exp(-(code length without that of fitted constants) - λ·violation), since the evidence charges for fitted constants
itself. Its negative logarithm is given in ``nats``.

Merged are, in this order: hypotheses that differ in the values of fitted constants only, or that have as many of them and
predict the same, or could (other minima, other spellings: :mod:`hypo.scoring.spelling`): the best one counts; then those that
differ in numbers only, exact or fitted, as 2*x and c*x do: disjoint hypotheses of one structure, whose weights add up while the
best one stands for it.

The normaliser is the sum over the structures that were met. Where a chain over structures
(:mod:`hypo.posterior.structure_mcmc`) and all small structures were among them, ``covers`` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.algebra.simplify import simplify
from hypo.expression.edits.summands import freed, summands
from hypo.expression.expr import Expression
from hypo.expression.printing import shortened
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.posterior.laplace import Laplace, laplace, sampled_sums
from hypo.scoring.code_length import fitted_cost
from hypo.scoring.row_sums import RowSums
from hypo.scoring.score import Hypothesis
from hypo.scoring.spelling import Spelling, around

# Structures with a weight less than exp(-WITHIN) of the best's are left out. So far down they matter to worst-case bounds only
# (:mod:`hypo.posterior.bounds`).
WITHIN = 30.0
# Most structures that are kept.
MOST_STRUCTURES = 200
# By how many nats score and evidence may order differently: so much further the archive is looked through.
SLACK = 8.0
# Odds (best to other) up to which structures are counted.
ODDS = 20.0
# Terms that are listed.
TERMS = 50
# Rows on which predictions are compared.
COMPARED_ROWS = 64
# Difference of predictions, in standard deviations of the noise, below which they are the same: what fits leave. Distinct laws
# that only look alike here part elsewhere, so it is much less than one can measure.
SAME = 1e-5


@dataclass(frozen=True)
class Structure:
    """One member of a posterior: its best formula, R², the probability ``weight`` and what the data say about its constants.

    ``odds`` is the weight of the best structure over this one's, from 1 on. ``slot``, ``constants`` (k), ``covariance`` (k, k),
    ``dof`` and ``sigma`` are those of :class:`hypo.posterior.laplace.Laplace`, in the units of the formula.
    """

    expression: Expression
    weight: float
    odds: float
    nats: float
    slot: tuple[int, ...]
    constants: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    dof: float
    sigma: float
    r2: float = math.nan

    def __repr__(self) -> str:
        return f"<Structure {shortened(self.expression.pretty())}; weight {self.weight:.3g}>"

    def as_dict(self) -> dict[str, Any]:
        """The entry of ``posterior`` in ``result.json``; an infinite ``dof`` (noise known) and an undefined R² are None."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__}
        finite = {name: value if math.isfinite(value) else None for name, value in (("dof", self.dof), ("r2", self.r2))}
        return {**out, "expression": str(self.expression), **finite}

    @staticmethod
    def read(row: Mapping[str, Any], variables: Sequence[str], named: Mapping[str, float]) -> Structure:
        """The structure whose :meth:`as_dict` is ``row``; raises ValueError, KeyError or TypeError if there is none."""
        from hypo.errors import FormulaError
        from hypo.expression.parser import parse

        try:
            e = parse(row["expression"], variables=variables, constants=named)
        except FormulaError as error:
            raise ValueError(str(error)) from error
        slot = tuple(int(p) for p in row["slot"])
        if len(slot) != len(e.constants):
            raise ValueError("a posterior entry has as many slots as its formula has constants")
        free = tuple(replace(c, free=p >= 0) for c, p in zip(e.constants, slot, strict=True))
        k = len(row["constants"])
        if any(p >= k for p in slot) or [len(line) for line in row["covariance"]] != [k] * k:
            raise ValueError("slots and covariance of a posterior entry do not fit its constants")
        if not 0.0 <= float(row["weight"]) <= 1.0 + 1e-9:
            raise ValueError("the weight of a posterior entry is not between 0 and 1")
        return Structure(
            expression=replace(e, constants=free),
            weight=float(row["weight"]),
            odds=float(row["odds"]),
            nats=float(row["nats"]),
            slot=slot,
            constants=tuple(float(v) for v in row["constants"]),
            covariance=tuple(tuple(float(v) for v in line) for line in row["covariance"]),
            dof=math.inf if row["dof"] is None else float(row["dof"]),
            sigma=float(row["sigma"]),
            # Results of older versions have none.
            r2=math.nan if row.get("r2") is None else float(row["r2"]),
        )


@dataclass(frozen=True)
class Posterior:
    """Structures by falling weight, the weights adding up to 1, and what follows from them.

    ``variables``, ``operators`` and ``terms`` give the probability that the law holds each, a term being what is added up in
    the law without its coefficient, with ``c`` for every other number (``1`` for a number by itself); the likeliest ``TERMS``
    are listed. ``within`` is the number of structures with odds up to 20, ``covers`` says in a sentence
    what the weights are shares of. ``chain`` is what :class:`hypo.posterior.structure_mcmc.ChainReport` says, or
    :func:`hypo.posterior.shards.shards_agree` of merged shards; None without a chain. ``unearned`` says in a sentence why the
    weights tell nothing of how likely the structures are, and what would help; empty where they do
    (:mod:`hypo.search.earned`).
    """

    structures: tuple[Structure, ...]
    variables: dict[str, float]
    operators: dict[str, float]
    within: int
    covers: str
    terms: dict[str, float] = field(default_factory=dict)
    chain: dict[str, Any] | None = None
    unearned: str = ""

    def __repr__(self) -> str:
        many = len(self.structures)
        return f"<Posterior of {many} structure{'s' * (many != 1)}; the likeliest {self.structures[0]!r}>"

    def summary(self) -> dict[str, Any]:
        """The entry ``inclusion`` of ``result.json``."""
        odds = {"odds": ODDS, "structures": self.within}
        shares = {"variables": self.variables, "operators": self.operators, "terms": self.terms}
        return {
            **shares,
            "within_odds": odds,
            "covers": self.covers,
            "chain": self.chain,
            "earned": not self.unearned,
            "unearned": self.unearned or None,
        }

    def top(self, share: float) -> tuple[Structure, ...]:
        """The fewest structures that have at least ``share`` of the weight together, their weights scaled to 1."""
        total = np.cumsum([s.weight for s in self.structures])
        count = min(int(np.searchsorted(total, share)) + 1, len(self.structures))
        return tuple(replace(s, weight=s.weight / float(total[count - 1])) for s in self.structures[:count])


@dataclass(frozen=True)
class ExploredSpace:
    """The space that a search explored beside its archive: all formulas without fitted constants of up to ``complete_to``
    nodes, all ``weighed`` structures of up to ``every_to`` nodes, numbers fitted; ``chain`` as in :class:`Posterior`."""

    complete_to: int = 0
    every_to: int = 0
    weighed: int = 0
    chain: Mapping[str, Any] | None = None


def make_posterior(
    hypotheses: Iterable[Hypothesis],
    X: NDArray[np.float64],
    columns: Sequence[str],
    likelihood: Likelihood,
    complete_to: int = 0,
    *,
    explored: ExploredSpace | None = None,
    keeps: Callable[[Expression], bool] | None = None,
    expired: Callable[[], bool] = lambda: False,
) -> Posterior | None:
    """The posterior over the structures of ``hypotheses``, whose constants must be fitted to the rows ``X`` (n_var, n_row);
    None where none of them leaves a degree of freedom, or the likeliest has constants with variances beyond the range of
    numbers. Others like that have no weight.

    All formulas without fitted constants of up to ``complete_to`` nodes are among those that were scored; ``explored`` says
    more of what was looked at. A formula for which ``keeps`` is false breaks a hard rule and has no weight. What comes after
    time has ``expired`` has none either, but for the best one.
    """
    ordered = sorted(hypotheses, key=lambda h: h.score)
    near = (h for h in ordered if h.score <= ordered[0].score + WITHIN + SLACK)
    found: list[Structure] = []
    for h in near:
        if found and expired():
            break
        if (s := weigh(h, X, columns, likelihood)) is not None:
            found.append(s)
    found.sort(key=lambda s: s.nats)
    if keeps is not None:
        found = _allowed(found, keeps, expired)
    if not found or not _known(found[0]):
        return None
    distinct = _distinct((s for s in found if _known(s)), X, columns, likelihood)
    return weighted(_by_structure(distinct), columns, complete_to, explored)


def weigh(h: Hypothesis, X: NDArray[np.float64], columns: Sequence[str], likelihood: Likelihood) -> Structure | None:
    """``h``, its constants fitted to the rows, as a structure with its ``nats`` and without a weight yet; None where it has no
    finite evidence."""
    with np.errstate(all="ignore"):
        sums = sampled_sums(h.expression, X, columns, likelihood, h.misfit)
        shape = None if sums is None else laplace(h.expression, X, columns, likelihood, sums)
    if sums is None or shape is None or not math.isfinite(shape.log_evidence):
        return None
    nats = h.score - h.misfit - _fitted_costs(h.expression, shape, sums, likelihood) - shape.log_evidence
    return _structure(h, shape, nats)


def _known(s: Structure) -> bool:
    """True if the variances of its constants are in the range of numbers."""
    return bool(np.all(np.isfinite(s.covariance)))


def _allowed(
    found: Iterable[Structure], keeps: Callable[[Expression], bool], expired: Callable[[], bool]
) -> list[Structure]:
    """Those of ``found``, the best first, that keep the hard rules, as far as they can have a weight and there is time."""
    kept: list[Structure] = []
    for s in found:
        if kept and (s.nats > kept[0].nats + WITHIN or expired()):
            break
        if keeps(s.expression):
            kept.append(s)
    return kept


def weighted(
    structures: Iterable[Structure], columns: Sequence[str], complete_to: int = 0, explored: ExploredSpace | None = None
) -> Posterior:
    """A posterior over ``structures``, all different, by their ``nats``; at least one."""
    explored = explored or ExploredSpace(complete_to)
    ordered = sorted(structures, key=lambda s: (round(s.nats, 9), str(s.expression)))
    least = ordered[0].nats
    kept = [s for s in ordered if s.nats <= least + WITHIN][:MOST_STRUCTURES]
    shares = np.exp([least - s.nats for s in kept])
    weights = shares / shares.sum()
    final = tuple(
        replace(s, weight=float(w), odds=float(1.0 / share)) for s, w, share in zip(kept, weights, shares, strict=True)
    )
    variables = dict.fromkeys(columns, 0.0)
    operators: dict[str, float] = {}
    for s in final:
        for held, names in ((variables, s.expression.variables), (operators, _operators(s.expression))):
            for name in sorted(set(names)):
                held[name] = held.get(name, 0.0) + s.weight
    within = sum(s.odds <= ODDS for s in final)
    chain = None if explored.chain is None else dict(explored.chain)
    covers = _covers(len(final), explored)
    return Posterior(final, variables, dict(sorted(operators.items())), within, covers, find_likely_terms(final), chain)


def find_likely_terms(structures: Iterable[Structure]) -> dict[str, float]:
    """The likeliest ``TERMS`` terms with the weight of the structures that hold them."""
    terms: dict[str, float] = {}
    for s in structures:
        for name in sorted(set(summands(s.expression))):
            terms[name] = terms.get(name, 0.0) + s.weight
    return dict(sorted(terms.items(), key=lambda item: (-round(item[1], 9), item[0]))[:TERMS])


def join(posteriors: Iterable[Posterior], columns: Sequence[str], complete_to: int = 0) -> Posterior | None:
    """The posterior over the structures of several searches of the same data; None without any.

    A structure that several of them found counts with its largest weight: what merged in it is not known any more.
    """
    best: dict[str, Structure] = {}
    for s in (s for p in posteriors for s in p.structures):
        key = structure_key(s.expression)
        if key not in best or (s.nats, str(s.expression)) < (best[key].nats, str(best[key].expression)):
            best[key] = s
    return weighted(best.values(), columns, complete_to) if best else None


def structure_key(e: Expression) -> str:
    """Text that is one for formulas which differ in numbers only, exact or fitted; named constants stay apart."""
    return simplify(freed(e)).masked()


def _structure(h: Hypothesis, shape: Laplace, nats: float) -> Structure:
    e = h.expression
    return Structure(
        expression=e.without_names(),
        weight=math.nan,
        odds=math.nan,
        nats=float(nats),
        slot=tuple(int(p) for p in shape.slot),
        constants=tuple(float(v) for v in shape.theta),
        covariance=tuple(tuple(float(v) for v in line) for line in shape.covariance),
        dof=float(shape.dof),
        sigma=float(shape.sigma),
        r2=float(h.r2),
    )


def _fitted_costs(e: Expression, shape: Laplace, sums: RowSums, likelihood: Likelihood) -> float:
    """The part of the code length for fitted constants (:func:`hypo.scoring.code_length.code_length`)."""
    total = 0.0
    for p, value in enumerate(shape.theta):
        same = np.flatnonzero(shape.slot == p)
        information = float(sums.normal[np.ix_(same, same)].sum()) / likelihood.noise_variance(sums.rss)
        # As the score has it.
        total += fitted_cost(float(value), information if math.isfinite(information) else 0.0)
    return total


def _distinct(
    found: Iterable[Structure], X: NDArray[np.float64], columns: Sequence[str], likelihood: Likelihood
) -> list[tuple[Structure, str]]:
    """The best of those that differ in fitted values only, or that are the same law with as many fitted constants; each with
    the key of the structure it is one of: of that whose spelling came first."""
    n = X.shape[1]
    chosen = np.unique(np.linspace(0, n - 1, min(n, COMPARED_ROWS)).round().astype(np.int64))
    rows = np.ascontiguousarray(X[:, chosen])
    points = around(rows)
    some = None if isinstance(likelihood, Gaussian) else likelihood.take(chosen)
    kept: list[tuple[Structure, Spelling]] = []
    seen: set[str] = set()
    # The structure that another one is spelled as.
    spelled: dict[str, str] = {}
    for s in sorted(found, key=lambda s: s.nats):
        masked = s.expression.masked()
        if masked in seen:
            continue
        seen.add(masked)
        this = Spelling(Program.of(s.expression, columns), s.slot, s.constants, points, len(chosen))
        noise = s.sigma if some is None else some.spread(some.predict(s.expression, rows, columns))
        tolerance = SAME * noise + 1e-12 * this.size
        alike = next((t for t, other in kept if _alike(this, other, tolerance)), None)
        key = structure_key(s.expression)
        if alike is None:
            kept.append((s, this))
        elif s.constants:
            theirs = structure_key(alike.expression)
            if key not in spelled and spelled.get(theirs, theirs) != key:
                spelled[key] = spelled.get(theirs, theirs)
    keyed = ((s, structure_key(s.expression)) for s, _ in kept)
    return [(s, spelled.get(key, key)) for s, key in keyed]


def _alike(this: Spelling, other: Spelling, tolerance: float) -> bool:
    """True if two laws with as many constants predict the same on the rows, or would if both were fitted to the end."""
    if len(this.theta) != len(other.theta):
        return False
    apart = this.values[: this.rows] - other.values[: this.rows]
    return float(np.max(np.abs(apart))) <= tolerance or other.says(this)


def _by_structure(distinct: Iterable[tuple[Structure, str]]) -> list[Structure]:
    """One for each structure, given with its key: the best, with the weights of all."""
    groups: dict[str, list[Structure]] = {}
    for s, key in distinct:
        groups.setdefault(key, []).append(s)
    out = []
    for same in groups.values():
        best = min(same, key=lambda s: s.nats)
        out.append(replace(best, nats=best.nats - math.log(sum(math.exp(best.nats - s.nats) for s in same))))
    return out


def _operators(e: Expression) -> set[str]:
    """Names of the operators of ``e``."""
    return {ops.BY_OPCODE[op].name for op, _ in e.code if op not in (oc.VAR, oc.CONST)}


def _covers(count: int, explored: ExploredSpace) -> str:
    one = count == 1
    shares = "is the only structure" if one else f"are shares among the {count} structures"
    out = f"The {'best one' if one else 'weights'} {shares} that the search met within {WITHIN:g} nats of the best"
    if explored.every_to:
        out += (
            f"; all {explored.weighed} structures of up to {_nodes(explored.every_to)}, every number fitted, were weighed: "
            "among them the normaliser is exact"
        )
    if explored.complete_to:
        out += f"; all formulas without fitted constants of up to {_nodes(explored.complete_to)} were looked at"
    if not explored.every_to and not explored.complete_to:
        out += "; formulas were not looked through size by size"
    if explored.chain is not None:
        out += "; " + str(explored.chain["verdict"])
    return out + ". A law that the search did not meet has no weight."


def _nodes(count: int) -> str:
    return f"{count} node" + ("s" if count > 1 else "")
