"""Operators that users define from Python functions, as further rows of the operator table.

A function and its derivative are compiled by numba to machine code and entered into the kernels' table of addresses
(:mod:`hypo.kernels.user_operators`); the kernels themselves stay as they are. The derivative becomes an operator too,
``NAME_slope``, so that derivatives of formulas can be written down.

Packages offer operators under ``[project.entry-points."hypo.operators"]`` as ``myop = "their_module:myop"``, where ``myop`` is
an :class:`Operator` of that name. The package is imported when a formula or a list of operators names it, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.errors import InputError
from hypo.expression import operators as ops
from hypo.expression.user_functions import (
    SECOND_STEP,
    CompiledOperator,
    Interval,
    check_derivative,
    check_homogeneous,
    check_interval,
    check_latex,
    check_name,
    fingerprint,
    load_kernel_table,
    make_dispatcher,
    told_by,
    value_at,
)
from hypo.kernels import opcodes as oc
from hypo.keywords import check_methods
from hypo.parallel.carried import carry

if TYPE_CHECKING:
    from hypo.units import Dimension

Function = Callable[[float], float]
DimensionRule = Callable[["Dimension"], "Dimension"]

_reserved: dict[str, tuple[int, int]] = {}
"""Opcodes that operators have in the process that this one works for."""
_used = 0


@check_methods
class Operator:
    """A function of one argument as an operator of formulas.

    ``op = hypo.Operator("softplus", f, df)`` makes ``softplus(x)`` known: to ``operators=["+", "*", op]`` of a fit, to guesses
    and formulas. A formula's value is NaN where ``f`` has none: where it gives NaN or an infinity, or raises an exception.
    It lives as long as the Python process; a saved result names the operators that it needs. Operators of users are evaluated
    on the processor only, in double precision.

    Parameters
    ----------
    name:
        An identifier that no other operator has.
    function:
        A scalar function float → float that numba can compile: arithmetic, ``math``, conditions, loops, compiled functions.
    derivative:
        Its derivative, the same kind of function, or another :class:`Operator`. It is compared with difference quotients.
    dimension:
        None: argument and value are pure numbers. ``"same"``: the value has the argument's dimension, for which
        f(k·u) = k·f(u) must hold for k > 0. A function of a :class:`hypo.units.Dimension` returns that of the value and
        raises ValueError for a dimension that it does not take; the search then builds it of pure numbers only, but formulas
        may use it of others.
    interval:
        ``interval(lo, hi)`` returns bounds on f over [lo, hi], arrays of equal shape; NaN where they are not known, or f is not
        defined on the whole of [lo, hi]. Without it nothing is proved of formulas with the operator: rules are checked at
        points only.
    latex:
        The LaTeX form with ``{0}`` for the argument; by default ``\\operatorname{name}``.

    Raises
    ------
    InputError
        The name is taken or is no name, a function takes another number of arguments or cannot be compiled, the derivative
        disagrees, the bounds do not hold, or there is no room for more operators.

    Examples
    --------
    >>> import math, hypo
    >>> op = hypo.Operator("bump", lambda u: math.exp(-u * u), lambda u: -2 * u * math.exp(-u * u))
    >>> str(hypo.parse("2*bump(3*x) + 1"))
    '2*bump(3*x) + 1'
    """

    def __init__(
        self,
        name: str,
        function: Function,
        derivative: Function | Operator,
        *,
        dimension: str | DimensionRule | None = None,
        interval: Interval | None = None,
        latex: str | None = None,
    ) -> None:
        self.name, self.dimension, self.interval, self.latex = check_name(name), dimension, interval, latex
        if ops.is_known(name) and name not in _known:
            raise InputError(f"the operator name {name} is taken: give another name")
        if not (dimension in (None, "same") or callable(dimension)):
            raise InputError(
                f'the dimension of the operator {name} must be None, "same" or a function, got {dimension!r}'
            )
        check_latex(name, latex)
        self.function = make_dispatcher(name, "function", function)
        slope = derivative.function if isinstance(derivative, Operator) else derivative
        self.derivative = make_dispatcher(name, "derivative", slope)
        self.derivative_name = derivative.name if isinstance(derivative, Operator) else f"{name}_slope"
        # Taken now: compiled code keeps the values that global names have now.
        self._key = self._identity()
        self._row: ops.OperatorRow
        self._compiled: CompiledOperator
        known = _known.get(name)
        if known is not None and known._key == self._key:
            # A cell of a notebook that is run again.
            self._row, self._compiled = known._row, known._compiled
            return
        if known is not None:
            raise InputError(
                f"the operator name {name} is taken by another function: give another name, or call its forget()"
            )
        if not isinstance(derivative, Operator) and ops.is_known(self.derivative_name):
            raise InputError(
                f"the operator {name} needs the name {self.derivative_name} for its derivative, which is taken"
            )
        self._compiled = CompiledOperator(name, self.function, self.derivative)
        check_derivative(name, self.function, self.derivative)
        if dimension == "same":
            check_homogeneous(name, self.function)
        if interval is not None:
            check_interval(name, self.function, interval)
        rule = self._rule()
        self._register(rule, own_slope=not isinstance(derivative, Operator))

    def __repr__(self) -> str:
        return f"<Operator {self.name}>"

    def __reduce__(self) -> Any:
        more = {"dimension": self.dimension, "interval": self.interval, "latex": self.latex}
        slope = _known.get(self.derivative_name)
        return _restored, (self.name, self.function, self.derivative if slope is None else slope, more)

    def __copy__(self) -> Operator:
        return self

    def __deepcopy__(self, memo: Any) -> Operator:
        return self

    def forget(self) -> None:
        """Give the name back; formulas that hold the operator are of no use any more."""
        for opcode, name in ((self._row.opcode, self.name), (self._row.opcode + 1, f"{self.name}_slope")):
            row = ops.BY_NAME.get(name)
            if row is not None and row.opcode == opcode:
                ops.remove(row)
                self._compiled.leave(opcode)
        _known.pop(self.name, None)
        _reserved.pop(self.name, None)

    # --- the row ----------------------------------------------------------------------------------------------------

    def _register(self, rule: int, own_slope: bool) -> None:
        opcode, slope_opcode = _next_opcodes(self.name)
        same = self.dimension == "same"
        self._row = _row(
            self.name,
            opcode,
            latex=self.latex or _latex_call(self.name),
            domain="all" if self.interval is None else "where its interval has both bounds",
            dimension="keep" if same else "dimensionless" if self.dimension is None else self._dimension_of,
            interval=self.interval or _unbounded,
            derivative=f"{self.derivative_name}(u)",
            number=partial(value_at, self.function),
            exponent=Fraction(1) if same else None,
        )
        ops.add(self._row)
        self._compiled.enter(opcode, self._compiled.value, self._compiled.slope, rule)
        if own_slope:
            name, h = self.derivative_name, SECOND_STEP
            ops.add(
                _row(
                    name,
                    slope_opcode,
                    latex=_latex_call(self.name, "'"),
                    domain="all",
                    dimension=_pure_value if same else "dimensionless",
                    interval=_unbounded,
                    derivative=f"({name}(u + {h}) - {name}(u - {h}))/{2 * h}",
                    number=partial(value_at, self.derivative),
                    exponent=None,
                )
            )
            self._compiled.enter(slope_opcode, self._compiled.slope, self._compiled.second, load_kernel_table().PURE)
        _known[self.name] = self
        _reserved[self.name] = (opcode, slope_opcode)
        carry(_CARRIED)

    def _rule(self) -> int:
        """The kernels' rule of dimensions."""
        kernel = load_kernel_table()
        rule = kernel.SAME if self.dimension == "same" else kernel.PURE
        if callable(self.dimension):
            from hypo.units import DIMENSIONLESS

            value = self._dimension_of(DIMENSIONLESS)
            rule = kernel.PURE if value is not None and value.is_dimensionless else kernel.UNKNOWN
        return int(rule)

    def _dimension_of(self, argument: Dimension) -> Dimension | None:
        """The dimension that the user's rule gives; None where it takes no such argument."""
        from hypo.units import Dimension

        try:
            value = self.dimension(argument)  # type: ignore[operator, misc]
        except ValueError:
            return None
        except Exception as error:
            # The user's function may raise anything.
            raise InputError(self._wrong_rule(argument, told_by(error))) from error
        if not isinstance(value, Dimension):
            raise InputError(self._wrong_rule(argument, f"it returned {value!r:.40}"))
        return value

    def _wrong_rule(self, argument: Dimension, reason: str) -> str:
        return (
            f"the dimension function of the operator {self.name} must take a hypo.units.Dimension and return one, or raise "
            f"ValueError: for the argument {argument} {reason}"
        )

    def _identity(self) -> tuple[Any, ...]:
        """A key that tells one definition from another of the same name."""
        parts = (self.function, self.derivative, self.dimension, self.interval)
        return (self.name, self.latex, self.derivative_name, *map(fingerprint, parts))


_known: dict[str, Operator] = {}


def defined_operators() -> Mapping[str, Operator]:
    """The operators that are defined in this process, by name."""
    return _known


# --- rows -------------------------------------------------------------------------------------------------------------


def _row(name: str, opcode: int, *, derivative: str, **more: Any) -> ops.OperatorRow:
    call = f"{name}({{0}})"
    return ops.OperatorRow(
        name, opcode, 1, plain=call, numpy=call, precedence=ops.P_ATOM, derivative=(derivative,), sympy=name, **more
    )


def _latex_call(name: str, mark: str = "") -> str:
    """The LaTeX form of a call."""
    upright = name.replace("_", r"\_")
    return rf"\operatorname{{{{{upright}}}}}{mark}\left({{0}}\right)"


def _unbounded(lo: Any, hi: Any) -> tuple[Any, Any]:
    return np.full(np.shape(lo), np.nan), np.full(np.shape(lo), np.nan)


def _pure_value(dimension: Dimension) -> Dimension:
    """The dimension of a derivative of what has that of its argument."""
    return dimension / dimension


def _next_opcodes(name: str) -> tuple[int, int]:
    """Codes for an operator and its derivative. Those given back are not used again: old formulas would change meaning."""
    global _used
    if name in _reserved:
        return _reserved[name]
    taken = {code for pair in _reserved.values() for code in pair}
    free = [c for c in range(oc.FIRST_USER + 2 * _used, oc.FIRST_USER + oc.N_USER, 2) if c not in taken]
    if not free:
        raise InputError(
            f"there is no room for the operator {name}: a process can define {oc.N_USER // 2} operators; "
            "restart Python to define others"
        )
    _used = (free[0] - oc.FIRST_USER) // 2 + 1
    return free[0], free[0] + 1


# --- other processes --------------------------------------------------------------------------------------------------


class _Carried:
    """All operators of this process, as other processes get them: first their codes, so that they have the same there."""

    def __reduce__(self) -> Any:
        return _receive, (_Reservation(), tuple(_known.values()))


class _Reservation:
    def __reduce__(self) -> Any:
        return _reserve, (dict(_reserved),)


_CARRIED = _Carried()


def _reserve(codes: Mapping[str, tuple[int, int]]) -> None:
    for name, pair in codes.items():
        if _reserved.setdefault(name, pair) != pair:
            raise InputError(f"a worker process knows another operator of the name {name}")


def _receive(reservation: None, operators: tuple[Operator, ...]) -> _Carried:
    return _CARRIED


def _restored(name: str, function: Any, derivative: Any, more: Mapping[str, Any]) -> Operator:
    return Operator(name, function, derivative, **more)
