"""Dimensions and units: hypo calculates in one coherent system, and units exist only at the border, as a dimension and a
factor to SI. The grammar of a unit text is read exactly; pint is asked only what one name such as ``"Mpc"`` means."""

from hypo.units.dimension import DIMENSIONLESS, Dimension, Unit, coherent_scales
from hypo.units.names import BASE_UNITS, OffsetError
from hypo.units.parser import parse_unit, split_unit

__all__ = [
    "BASE_UNITS",
    "DIMENSIONLESS",
    "Dimension",
    "OffsetError",
    "Unit",
    "coherent_scales",
    "parse_unit",
    "split_unit",
]
