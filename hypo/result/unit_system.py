"""The units that the formulas and constants of a result are in, and the ways to others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hypo.errors import InputError, UnitError
from hypo.units import Dimension, Unit, parse_unit

if TYPE_CHECKING:
    from hypo.search.table_units import Border, UnitNames

# Said of a result in SI units.
SI_NOTE = "formulas and constants are in SI units, whatever the units of the columns"


@dataclass(frozen=True)
class StatedConstant:
    """A named constant as the knowledge states it: a number and the text of its unit."""

    value: float
    unit: str


@dataclass(frozen=True)
class UnitSystem:
    """The units of the columns, of the target and of the named constants, which formulas are in.

    Attributes
    ----------
    target
        The name of the target.
    texts
        The unit of each column, and of the target, by name, as the user wrote it; without those that have none.
    scales
        The factors from the numbers of the columns to those of the formulas, by name: 1, but in files of older versions, which
        are in SI units where the columns' units are of no one system.
    constants
        The values of the named constants in the formulas.
    stated
        The same constants as the knowledge states them, as far as it does.
    has_strict_angles
        True if rad is a dimension of its own.
    note
        A sentence on these units, without its full stop; empty if there is nothing to say.
    """

    target: str
    texts: Mapping[str, str]
    scales: Mapping[str, float]
    constants: Mapping[str, float]
    stated: Mapping[str, StatedConstant]
    has_strict_angles: bool = False
    note: str = ""

    @property
    def has_target_unit(self) -> bool:
        """True if the target has a unit, so that the dimensions of formulas were looked at."""
        return self.target in self.texts

    @property
    def is_of_columns(self) -> bool:
        """True if formulas are in the units of the columns; false for some results of older versions."""
        return all(factor == 1.0 for factor in self.scales.values())

    @property
    def stated_values(self) -> dict[str, float]:
        """The values of the named constants in the units that they were stated in."""
        return {n: self.stated[n].value if n in self.stated else v for n, v in self.constants.items()}

    @property
    def all_texts(self) -> dict[str, str]:
        """The units of columns, target and named constants, by name."""
        stated = {n: self.stated[n].unit if n in self.stated else "1" for n in self.constants}
        return {**self.texts, **stated}

    @property
    def names(self) -> UnitNames:
        """The names that these units are made of."""
        from hypo.search.table_units import UnitNames

        return UnitNames.of(self.all_texts, self.has_strict_angles)

    def read(self, text: str) -> Unit:
        """The unit that is written as ``text``; raises InputError where it cannot be read."""
        try:
            return parse_unit(text, self.has_strict_angles)
        except UnitError as error:
            raise InputError(f"the result has a unit that cannot be read: {error}") from error

    def dimension(self, text: str) -> Dimension:
        """The dimension of the unit ``text``; raises InputError as :meth:`read` does."""
        return self.read(text).dimension

    def factor_to_si(self, name: str) -> float:
        """The factor from numbers of a column, or of the target, to SI: x_SI = factor · x."""
        return self.read(self.texts.get(name, "1")).factor

    def to_si(self) -> UnitSystem:
        """The SI units of the same columns and constants."""
        from hypo.report.units import write_si_unit

        return replace(
            self,
            texts={name: write_si_unit(self.dimension(text)) for name, text in self.texts.items()},
            constants=self._values_in_si(),
            note=SI_NOTE,
        )

    def to_columns(self) -> UnitSystem:
        """The units of the columns, for a result that is not in them."""
        return replace(self, scales=dict.fromkeys(self.scales, 1.0), constants=self.stated_values, note="")

    def way_to_si(self, scales_noise: bool) -> Border:
        """The conversion of formulas and posteriors from the units of the columns to SI; the noise is in the
        target's unit if ``scales_noise``."""
        return self.way_from_si(scales_noise).back(self._values_in_si())

    def way_from_si(self, scales_noise: bool) -> Border:
        """The conversion of formulas and posteriors from SI to the units of the columns."""
        from hypo.search.table_units import Border

        return Border.between(
            self.all_texts, self.target, self.stated_values, True, scales_noise, self.has_strict_angles
        )

    def _values_in_si(self) -> dict[str, float]:
        texts = self.all_texts
        return {name: value * parse_unit(texts[name]).factor for name, value in self.stated_values.items()}
