"""Between the units of the search and those of the table: what leaves hypo is in the units of the columns.

Where the columns' units do not belong to one system the search is in SI (:func:`hypo.units.coherent_scales`). Formulas,
constants with their errors, and posteriors are converted here, once, on their way out; formulas of the user on their way in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hypo.expression.edits.conversion import Converted, Powers, Units, converted
from hypo.units import DIMENSIONLESS, Dimension, parse_unit, split_unit

if TYPE_CHECKING:
    from hypo.expression.expr import Expression
    from hypo.posterior.posterior import Posterior, Structure
    from hypo.problem.problem import Problem
    from hypo.scoring.prior import Prior
    from hypo.scoring.score import Hypothesis


@dataclass(frozen=True)
class UnitNames:
    """The names in the units of a problem: of each its dimension and factor to SI, and the units by column in these names."""

    known: Mapping[str, tuple[Dimension, float]]
    powers: Mapping[str, Powers]

    @staticmethod
    def of(texts: Mapping[str, str], strict_angles: bool = False) -> UnitNames:
        """Of unit texts by the names of columns, target and constants. Names of one unit count as its first."""
        known: dict[str, tuple[Dimension, float]] = {}
        first: dict[tuple[Dimension, float], str] = {}
        powers: dict[str, Powers] = {}
        for owner, text in texts.items():
            out: dict[str, Fraction] = {}
            for part, power in split_unit(text, strict_angles).items():
                unit = parse_unit(part, strict_angles)
                name = first.setdefault((unit.dimension, unit.factor), part)
                known[name] = unit.dimension, unit.factor
                out[name] = out.get(name, Fraction(0)) + power
            powers[owner] = {name: p for name, p in out.items() if p}
        return UnitNames(known, powers)

    def dimension(self, unit: Powers) -> Dimension:
        """The dimension of a product of powers."""
        out = DIMENSIONLESS
        for name, power in unit.items():
            out = out * self.known[name][0] ** power
        return out

    def factor(self, unit: Powers) -> float:
        """The factor of a product of powers to SI."""
        return Units({}, {}, {name: factor for name, (_, factor) in self.known.items()}).size(unit)


@dataclass(frozen=True)
class Border:
    """One way of crossing: ``units`` are the new ones, with the number of old units in each; ``target`` is the old number of a
    new target of 1, and ``scales_noise`` says that the scale of the noise is in the target's unit."""

    units: Units
    target: str
    scales_noise: bool = True

    @staticmethod
    def out_of(problem: Problem) -> Border:
        """From the units of the search to those of the columns."""
        k = problem.knowledge
        values = {n: c.value for n, c in k.constants.items()}
        texts = {n: u.text for n, u in unit_texts(problem).items()}
        # In a system of their own the numbers of the search are those of the columns.
        scaled = any(f != 1.0 for f in problem.scales.values()) or any(
            problem.constants[n] != v for n, v in values.items()
        )
        return Border.between(
            texts, problem.target, values, scaled, problem.family.is_scale_in_target_unit, k.strict_angles
        )

    @staticmethod
    def to_si(problem: Problem) -> Border:
        """From the units of the columns to SI."""
        k, texts = problem.knowledge, {n: u.text for n, u in unit_texts(problem).items()}
        values = {n: c.value * c.unit.factor for n, c in k.constants.items()}
        return Border.between(
            texts, problem.target, {}, True, problem.family.is_scale_in_target_unit, k.strict_angles
        ).back(values)

    @staticmethod
    def between(
        texts: Mapping[str, str],
        target: str,
        values: Mapping[str, float],
        scaled: bool,
        scales_noise: bool,
        strict_angles: bool = False,
    ) -> Border:
        """From SI (from the same system unless ``scaled``) to units by name; ``values`` are those of named constants there."""
        names = UnitNames.of(texts, strict_angles)
        sizes = {name: factor if scaled else 1.0 for name, (_, factor) in names.known.items()}
        leaves = {n: p for n, p in names.powers.items() if n != target}
        return Border(Units(leaves, names.powers.get(target, {}), sizes, values), target, scales_noise)

    def back(self, values: Mapping[str, float]) -> Border:
        """The way back, where named constants have ``values``."""
        sizes = {name: 1.0 / size for name, size in self.units.sizes.items()}
        return replace(self, units=replace(self.units, sizes=sizes, values=values))

    @cached_property
    def scale(self) -> float:
        """Old numbers of the target in a new one."""
        return self.units.size(self.units.target)

    @property
    def same(self) -> bool:
        """True if all numbers stay."""
        return self.units.same

    def convert(self, e: Expression) -> Converted:
        """A formula with the units of its constants."""
        return converted(e, self.units)

    def formula(self, e: Expression) -> Expression:
        """A formula."""
        return e if self.same else converted(e, self.units).expression

    def hypothesis(self, h: Hypothesis) -> Hypothesis:
        """A scored formula; its rmse is in the target's unit too, its score is that of the search."""
        return h if self.same else replace(h, expression=self.formula(h.expression), rmse=h.rmse / self.scale)

    def posterior(self, posterior: Posterior | None) -> Posterior | None:
        """All structures with their constants and covariances."""
        if posterior is None or self.same:
            return posterior
        from hypo.posterior.posterior import find_likely_terms

        structures = tuple(map(self._structure, posterior.structures))
        return replace(posterior, structures=structures, terms=find_likely_terms(structures))

    def _structure(self, s: Structure) -> Structure:
        found = converted(s.expression, self.units, s.slot)
        factors = [1.0] * len(s.constants)
        for leaf, p in enumerate(s.slot):
            if p >= 0:
                factors[p] = found.factor[leaf]
        covariance = tuple(
            tuple(v * a * b for v, b in zip(line, factors, strict=True))
            for line, a in zip(s.covariance, factors, strict=True)
        )
        return replace(
            s,
            expression=found.expression,
            slot=tuple(s.slot[i] if i >= 0 else -1 for i in found.origin),
            constants=tuple(v * f for v, f in zip(s.constants, factors, strict=True)),
            covariance=covariance,
            sigma=s.sigma / self.scale if self.scales_noise else s.sigma,
        )

    def prior(self, prior: Prior, before: Sequence[Structure], after: Sequence[Structure]) -> Prior:
        """A prior with its code lengths under the new names of the structures."""
        names = {str(a.expression): str(b.expression) for a, b in zip(before, after, strict=True)}
        return replace(prior, code_lengths={names.get(k, k): v for k, v in prior.code_lengths.items()})


def unit_texts(problem: Problem) -> dict[str, Any]:
    """The units of columns, target and named constants, by name, as far as they are known."""
    k = problem.knowledge
    columns = {n: k.units[n] for n in (*problem.columns, problem.target) if n in k.units}
    return {**columns, **{n: c.unit for n, c in k.constants.items()}}


def readings(e: Expression, problem: Problem) -> tuple[Expression, ...]:
    """Readings of a formula of the user, in the units of the search: with numbers for the columns' own units, as formulas
    leave hypo, and as a law among quantities, whatever their units. One where fitted constants make up for the difference."""
    border = Border.out_of(problem)
    if border.same:
        return (e,)
    inward = border.back(problem.constants).formula(e)
    same = inward.code == e.code and all(
        a.free or a.value == b.value for a, b in zip(inward.constants, e.constants, strict=True)
    )
    return (inward,) if same else (inward, e)


def watched(report: Callable[[Any], None] | None, problem: Problem) -> Callable[[Any], None] | None:
    """A listener to a search's progress that hears of formulas in the columns' units."""
    border = Border.out_of(problem)
    if report is None or border.same:
        return report

    def outward(progress: Any) -> None:
        best = progress.best
        report(progress if best is None else replace(progress, best=border.hypothesis(best)))

    return outward
