"""The search problem: data in one coherent unit system, likelihood, grammar and settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.data import Dataset
from hypo.errors import DataError
from hypo.expression import operators as ops
from hypo.expression.algebra.simplify import simplify
from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.knowledge import Knowledge
from hypo.knowledge.template import BoundTemplate
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.likelihood.family import Family
from hypo.likelihood.registry import make_family
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.problem.from_table import rows_of
from hypo.problem.residual_structure import StructureTest
from hypo.problem.spacing import Spacing
from hypo.problem.value_ranges import ValueRanges
from hypo.scoring.code_length import named_unit_costs, spelled_unit_cost
from hypo.scoring.score import NATIVE, Scorer
from hypo.units import DIMENSIONLESS, Dimension, coherent_scales

# Who searches: hypo's own proposers (NATIVE, or with scans on GPUs CUDA), PySR, or both at the same time.
CUDA, PYSR, ALL = "cuda", "pysr", "all"
BACKENDS = (NATIVE, CUDA, PYSR, ALL)
# Rows from which on few are looked at before all, and evidences take too long.
MANY_ROWS = 3_000
# How the intervals of constants are made.
LAPLACE, PROFILE = "laplace", "profile"
# Operators a formula may use, and those of them that the library enumerates, unless the user names operators.
_BY_ARITY = sorted(ops.OPERATORS, key=lambda row: -row.arity)
DEFAULT_OPERATORS: tuple[str, ...] = tuple(row.name for row in _BY_ARITY if row.is_default)
LIBRARY_OPERATORS: tuple[str, ...] = tuple(row.name for row in _BY_ARITY if row.is_enumerated)


@dataclass(frozen=True)
class Settings:
    """Everything the search depends on besides data and knowledge.

    ``operators`` None means the defaults; which ones there are changes nothing in how they nest (:attr:`Problem.nesting`).
    ``time_limit`` is in seconds. ``guesses`` are formulas that take part in the search. ``proposers`` names those that take
    turns, None all of them; ``turns`` is how many they take at most, ``work`` what these may cost in all (seconds on an
    ordinary core, by the proposers' own estimates and not by a clock). ``backend`` is one of ``BACKENDS``. ``scheduler``
    says where scans are done: None or ``"threads"``, ``"processes"``, ``"local"`` (a Dask cluster on this machine) or the
    address of a Dask scheduler. ``shard`` (number from 1, of how many) is the part of the search to do. ``max_memory`` is in
    bytes (:mod:`hypo.search.library.memory`). Without ``posterior`` nothing is looked at for its sake
    (:mod:`hypo.expression.edits.neighbours`, :mod:`hypo.posterior.structure_mcmc`). ``intervals`` of constants are by
    ``LAPLACE`` or ``PROFILE`` (:mod:`hypo.fitting.profile`). ``likelihood`` is the family of the target's distribution.
    """

    time_limit: float = 60.0
    seed: int = 0
    workers: int = 1
    scheduler: str | None = None
    max_memory: float | None = None
    shard: tuple[int, int] | None = None
    operators: tuple[str, ...] | None = None
    max_complexity: int = 60
    complexity_weights: Mapping[str, float] = field(default_factory=dict)
    fit_constants: bool = True
    lam: float = 10.0
    n_probe: int = 100
    n_race: int = 2000
    library_sizes: tuple[int, ...] = (250, 1000, 4000, 12000, 40000, 120000)
    guesses: tuple[str | Expression, ...] = ()
    proposers: tuple[str, ...] | None = None
    turns: int | None = None
    work: float | None = None
    backend: str = NATIVE
    likelihood: Family = field(default_factory=make_family)
    posterior: bool = True
    intervals: str = LAPLACE

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest; ``workers`` and ``scheduler`` are left out, because they do not change the answer, and
        ``work``, which only searches within a search have."""
        out = asdict(self)
        del out["workers"], out["scheduler"], out["work"]
        out["shard"] = None if self.shard is None else list(self.shard)
        out["operators"] = None if self.operators is None else list(self.operators)
        out["complexity_weights"] = dict(self.complexity_weights)
        out["library_sizes"] = list(self.library_sizes)
        out["proposers"] = None if self.proposers is None else list(self.proposers)
        out["likelihood"] = self.likelihood.as_dict()
        out["guesses"] = [str(guess) for guess in self.guesses]
        return out


# Said where the search is in other units than the columns.
UNIT_NOTE = 'formulas and constants are in the units of the columns (in SI units with --si or units="si")'


@dataclass(frozen=True)
class Problem:
    """Data and knowledge ready for the search.

    ``X`` (n_var, n_row) and ``y`` are in one coherent system: the user's own numbers where their units are coherent,
    else SI; ``scales[name]`` is the factor that took a column (or the target) there. ``dimensions`` is empty when no units
    are known; columns without a unit then count as pure numbers. ``offset`` is as in :class:`~hypo.scoring.score.Scorer`.
    ``family`` is that of the user's likelihood, whatever stands for it in a part of the search. ``value_ranges`` are where hard
    rules want a value, as far as stated; ``aliases`` are headers that formulas have other names for.
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    columns: tuple[str, ...]
    target: str
    likelihood: Likelihood
    constants: Mapping[str, float]
    dimensions: Mapping[str, Dimension]
    target_dimension: Dimension | None
    knowledge: Knowledge
    scales: Mapping[str, float]
    allowed: frozenset[str]
    enumerated: tuple[str, ...]
    max_complexity: int
    unit_note: str = ""
    offset: float = 0.0
    family: Family = field(default_factory=make_family)
    value_ranges: ValueRanges | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    spacings: dict[tuple[str, ...], Spacing] = field(default_factory=dict, compare=False, repr=False)

    @property
    def has_units(self) -> bool:
        """True if dimensions prune the search."""
        return bool(self.dimensions) and not self.knowledge.soft

    def allows(self, *names: str) -> bool:
        """True if all these operators may appear in a formula."""
        return all(n in self.allowed for n in names)

    @cached_property
    def nesting(self) -> Mapping[str, tuple[str, ...]]:
        """Operators that the library puts into no argument of each operator: the knowledge's own list for those it has a list
        for, and for other transcendental functions all of these."""
        names = tuple(row.name for row in ops.BY_NAME.values() if row.is_transcendental)
        return {**dict.fromkeys(names, names), **self.knowledge.nesting}

    def scorer(self, settings: Settings) -> Scorer:
        """The score for this problem."""
        return Scorer(
            X=self.X,
            columns=self.columns,
            likelihood=self.likelihood,
            symbols=len(self.enumerated) + len(self.columns) + len(self.constants) + 1,
            weights=settings.complexity_weights,
            lam=settings.lam,
            violation=self.violation,
            max_complexity=self.max_complexity,
            extra_cost=self.extra_cost,
            offset=self.offset,
        )

    @property
    def gaussian(self) -> Gaussian:
        """The likelihood, or the Gaussian one that stands for it."""
        return self.likelihood.gaussian

    @cached_property
    def working(self) -> Problem:
        """The problem with the Gaussian likelihood that stands for its own (:mod:`hypo.problem.working_response`),
        which may be itself."""
        known = self.likelihood
        if isinstance(known, Gaussian):
            return self
        working = known.gaussian
        loss = known.working_loss if isinstance(known, RowLikelihood) else math.nan
        return replace(self, y=working.y, likelihood=working, offset=0.5 * loss if math.isfinite(loss) else 0.0)

    def violation(self, e: Expression) -> tuple[float, bool]:
        """Summed violation of the knowledge and whether a hard rule is broken."""
        amount, hard = 0.0, False
        for v in self.knowledge.violations(e, self.target):
            amount += v.amount
            hard |= v.hard
        return amount, hard

    def breaks(self, e: Expression) -> bool:
        """True if ``e`` breaks hard knowledge about the form of formulas."""
        amount, hard = self.violation(e)
        return hard and amount > 0

    def simplified(self, e: Expression) -> Expression:
        """``e`` simplified, or as it is where only that keeps the hard knowledge: x/a - b where × or numbers below 0 are
        forbidden, abs(x)**2 where x stands in abs only."""
        plain = simplify(e)
        return e if plain != e and self.breaks(plain) and not self.breaks(e) else plain

    def extra_cost(self, e: Expression) -> float:
        """Nats for the units of fitted constants, for operators that are less likely beforehand (negative for likelier), and
        for waves that are too short for the rows."""
        units = self.unit_cost(e) if self.dimensions and e.free else 0.0
        return self.knowledge.prior_cost(e) + units + self.spacing.cost(e)

    @property
    def spacing(self) -> Spacing:
        """Neighbours among the rows; a sample of the rows has those of all of them."""
        known = self.spacings.get(self.columns)
        if known is None:
            known = self.spacings[self.columns] = Spacing(self.X, self.columns)
        return known

    def unit_cost(self, e: Expression) -> float:
        """Code length of the units of the fitted constants of ``e``."""
        found = self.constant_units(e)
        return sum(self._one_unit_cost(d) for i in e.free if (d := found[i]) is not None)

    def _one_unit_cost(self, d: Dimension) -> float:
        spelled = spelled_unit_cost(d.exponents)
        return min(spelled, self._named_unit_costs.get(d, spelled))

    @cached_property
    def template(self) -> BoundTemplate | None:
        """The form that the knowledge prescribes, with this table's names, or None."""
        form = self.knowledge.template
        return None if form is None else form.bind(self.columns, self.constants)

    @property
    def has_many_rows(self) -> bool:
        """True where evidences take too long, and few rows are looked at before all."""
        return len(self.y) > MANY_ROWS

    @cached_property
    def structure_test(self) -> StructureTest:
        """The test of values on the rows by polynomials in the columns; made once, for it is asked after many turns."""
        return StructureTest(self.X)

    @cached_property
    def _named_unit_costs(self) -> dict[Dimension, float]:
        return named_unit_costs(self.dimensions.values())

    def constant_units(self, e: Expression) -> tuple[Dimension | None, ...]:
        """Dimension of each constant slot of ``e`` as far as it is determined; all None without units."""
        if not self.dimensions:
            return (None,) * len(e.constants)
        known = {n: self.dimensions.get(n, DIMENSIONLESS) for n in self.columns}
        named = {n: self.dimensions.get(n, DIMENSIONLESS) for n in self.constants}
        return infer(e, known, named, self.target_dimension).constant_dimensions

    # --- packed dimensions for the kernels ----------------------------------------------------------------------

    @cached_property
    def _axes(self) -> tuple[int, ...]:
        used = {
            k
            for d in (*self.dimensions.values(), self.target_dimension or DIMENSIONLESS)
            for k, e in enumerate(d.exponents)
            if e
        }
        return tuple(sorted(used))

    @property
    def dimension_layout(self) -> tuple[int, int]:
        """(bits per base unit, number of base units) of packed dimensions."""
        n = max(1, len(self._axes))
        return min(20, 62 // n), n

    def pack(self, d: Dimension) -> int | None:
        """``d`` as one integer for the kernels; None if an exponent is no multiple of 1/12 or too large."""
        from hypo.kernels.cpu.enumerate import DIMENSION_SCALE

        bits, _ = self.dimension_layout
        total = 0
        for k, axis in enumerate(self._axes):
            scaled = d.exponents[axis] * DIMENSION_SCALE
            if scaled.denominator != 1 or abs(scaled) >= 1 << (bits - 2):
                return None
            total += int(scaled) << (bits * k)
        return total

    def packed(self, name: str) -> int:
        """Packed dimension of a column or named constant; 0 without units."""
        return (self.pack(self.dimensions.get(name, DIMENSIONLESS)) or 0) if self.has_units else 0


def make_problem(dataset: Dataset, knowledge: Knowledge | None, settings: Settings) -> Problem:
    """Bring a table and knowledge together: convert units, settle the grammar, set up the likelihood.

    Raises DataError when a named constant shares the name of a column, or a formula could not use any column.
    """
    k = knowledge if knowledge is not None else Knowledge()
    for name in k.constants:
        if name in dataset.names or name == dataset.target:
            raise DataError(
                f"{dataset.source}: column {name!r} has the name of a constant in {k.source}; rename one of them"
            )
    names = (*dataset.names, dataset.target)
    with_unit = [n for n in names if n in k.units] + list(k.constants)
    units = [k.units[n] if n in k.units else k.constants[n].unit for n in with_unit]
    factors = dict(zip(with_unit, coherent_scales(units), strict=True))
    scales = {n: factors.get(n, 1.0) for n in names}
    X, y, likelihood = rows_of(dataset, settings.likelihood, scales)
    known = [n for n in names if n in k.units]
    dimensions = {n: d for n, d in k.dimensions.items() if n in names or n in k.constants} if known else {}
    listed = k.operators is not None or settings.operators is not None
    base = settings.operators or DEFAULT_OPERATORS
    allowed = k.allowed_operators(base)
    if settings.operators is not None and k.operators is not None:
        allowed = tuple(n for n in allowed if n in settings.operators)
    if listed:
        named = settings.operators or k.operators or ()
        enumerated = tuple(n for n in named if n in allowed)
    else:
        enumerated = tuple(n for n in LIBRARY_OPERATORS if n in allowed)
    if settings.operators is not None:
        # From here on the settings' operators are knowledge like any other, with its rules for short forms.
        k = replace(k, operators=allowed)
    converted = any(f != 1.0 for f in factors.values())
    return Problem(
        X=X,
        y=y,
        columns=dataset.names,
        target=dataset.target,
        likelihood=likelihood,
        constants={n: c.value * factors.get(n, 1.0) for n, c in k.constants.items()},
        dimensions=dimensions,
        target_dimension=dimensions.get(dataset.target),
        knowledge=k,
        scales=scales,
        allowed=frozenset(allowed),
        enumerated=enumerated,
        max_complexity=min(settings.max_complexity, k.max_complexity or settings.max_complexity),
        unit_note=UNIT_NOTE if converted else "",
        value_ranges=ValueRanges.of(dataset.names, k.ranges, k.rules, scales),
        aliases=dataset.aliases,
        family=settings.likelihood,
        spacings={dataset.names: Spacing(X, dataset.names)},
    )
