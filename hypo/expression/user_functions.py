"""Functions of users as the kernels need them: compiled to C functions by numba, and checked against what was said of them."""

from __future__ import annotations

import dis
import inspect
import keyword
import math
import re
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from hypo.errors import InputError
from hypo.kernels import opcodes as oc

# How numba colours its messages.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# What numba says of a function whose value is no number.
_NO_FLOAT = "No implementation of function Function(<class 'float'>)"

Interval = Callable[[Any, Any], tuple[Any, Any]]

# Words that mean something else in formulas and in rules, beside those of Python and the names of operators.
RESERVED = frozenset({"pi", "f", "int", "forall", "exists", "implies", "iff"})
# Stands for the argument where a LaTeX form is tried.
_ARGUMENT = "<argument>"
# Points at which a derivative is compared: sizes from 10**-2 to 10**1.5, of both signs, none of them a simple number.
SAMPLES = np.concatenate([-np.geomspace(37.3, 0.0113, 24), np.geomspace(0.0127, 33.1, 24)])
# Step of the difference quotient, as a share of the argument's size; the cube root of the rounding is best.
STEP = 6e-6
# A derivative disagrees where it is off by more than this share of the slope: the difference quotient may be, too.
SLOPE_ERROR = 1e-3
# Rounding errors of values, as a share of these.
ROUNDING = 1e-14
# Share of the points at which it may: those beside a corner or a jump.
CORNERS = 0.1
# Boxes of an interval function that are checked have ends among so many of the samples.
BOX_STRIDE = 5
# Step of the difference quotient that stands for the derivative of a derivative.
SECOND_STEP = 1e-4


def load_kernel_table() -> Any:
    """The module of the kernels' table, which loads numba."""
    from hypo.kernels import user_operators

    return user_operators


def make_dispatcher(name: str, role: str, function: Any) -> Any:
    """The numba function of a Python function; its own, if it is one already."""
    import numba

    if not callable(function):
        raise InputError(f"the {role} of the operator {name} must be a function, got {function!r:.60}")
    plain = getattr(function, "py_func", function)
    code = getattr(plain, "__code__", None)
    open_ended = code is not None and bool(code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS))
    if code is not None and (code.co_argcount != 1 or code.co_kwonlyargcount or open_ended):
        count = "any number" if open_ended else code.co_argcount + code.co_kwonlyargcount
        raise InputError(f"the {role} of the operator {name} must take one argument, but it takes {count}")
    if hasattr(function, "py_func"):
        return function
    if code is None:
        # A built-in function, such as math.sin: numba takes it from within another.
        return numba.njit(error_model="numpy")(lambda u: function(u))
    try:
        return numba.njit(error_model="numpy")(function)
    except TypeError as error:
        raise InputError(f"the {role} of the operator {name} cannot be compiled by numba: {told_by(error)}") from error


class CompiledOperator:
    """The C functions float64 → float64 of an operator; they live as long as the process, because kernels may call them."""

    def __init__(self, name: str, function: Any, derivative: Any) -> None:
        self.value = _c_function(name, "function", function)
        self.slope = _c_function(name, "derivative", derivative)
        self.second = _c_function(name, "derivative", _difference_quotient(derivative))

    def enter(self, opcode: int, value: Any, slope: Any, rule: int) -> None:
        """Let kernels call an opcode's functions."""
        kernel = load_kernel_table()
        column = opcode - oc.FIRST_USER
        kernel.TABLE[kernel.RULE, column] = rule
        kernel.TABLE[kernel.SLOPE, column] = slope.address
        kernel.TABLE[kernel.VALUE, column] = value.address
        _alive.append(self)

    def leave(self, opcode: int) -> None:
        """Let kernels give NaN for an opcode."""
        load_kernel_table().TABLE[:, opcode - oc.FIRST_USER] = 0


_alive: list[CompiledOperator] = []


def _c_function(name: str, role: str, function: Any) -> Any:
    import numba
    from numba.core.errors import NumbaError

    def value(u: Any) -> float:
        try:
            w = float(function(u))
        except Exception:
            return math.nan
        return w if abs(w) < math.inf else math.nan

    try:
        return numba.cfunc("float64(float64)", error_model="numpy")(value)
    except (NumbaError, TypeError, ValueError, NotImplementedError) as error:
        raise InputError(f"the {role} of the operator {name} cannot be compiled by numba: {told_by(error)}") from error


def _difference_quotient(function: Any) -> Any:
    import numba

    h = SECOND_STEP

    @numba.njit(error_model="numpy")
    def quotient(u: Any) -> Any:
        return (function(u + h) - function(u - h)) / (2.0 * h)

    return quotient


def told_by(error: Exception) -> str:
    """The line of a message, numba's or that of a user's function, that says what is wrong."""
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Failed in", "During", "File", "def ", "<source", "- "))]
    first = (told or lines or [type(error).__name__])[0].rstrip(".:")
    return "it must return a float" if _NO_FLOAT in first else first


# --- checks -----------------------------------------------------------------------------------------------------------


def check_name(name: Any) -> str:
    """The name of an operator; raises InputError for what cannot be one."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name in RESERVED:
        raise InputError(
            f"an operator's name must be an identifier that means nothing else, such as softplus, got {name!r}"
        )
    return name


def check_latex(name: str, latex: Any) -> None:
    """Raises InputError for a LaTeX form that does not hold its argument as ``{0}``."""
    if latex is None:
        return
    shown = None
    if isinstance(latex, str):
        with suppress(LookupError, ValueError, AttributeError):
            shown = latex.format(_ARGUMENT)
    if shown is None or _ARGUMENT not in shown:
        raise InputError(
            f"the latex of the operator {name} must be a text with {{0}} for the argument and other braces doubled, such as "
            rf"r'\mathrm{{{{g}}}}({{0}})', got {latex!r:.60}"
        )


def _values(function: Any, points: Any) -> Any:
    """Values (n,) of a compiled function; NaN where there is none."""
    return np.array([value_at(function, float(u)) for u in points])


def value_at(function: Any, u: float) -> float:
    """The value of a user's function at ``u``, NaN where it has none."""
    try:
        value = float(function(u))
    except Exception:
        # The user's function may raise anything where it is not defined.
        return math.nan
    return value if math.isfinite(value) else math.nan


def check_derivative(name: str, function: Any, derivative: Any) -> None:
    """Raises InputError where a derivative is not that of its function at the sample points."""
    h = STEP * np.maximum(1.0, np.abs(SAMPLES))
    value, stated = _values(function, SAMPLES), _values(derivative, SAMPLES)
    slope = (_values(function, SAMPLES + h) - _values(function, SAMPLES - h)) / (2.0 * h)
    if not np.any(np.isfinite(value)):
        raise InputError(
            f"the function of the operator {name} has no value at any of {len(SAMPLES)} points from -37 to 33"
        )
    known = np.isfinite(slope)
    allowed = SLOPE_ERROR * (np.abs(slope) + np.abs(stated)) + ROUNDING * np.abs(value) / h
    off = known & ~(np.abs(stated - slope) <= allowed)
    if np.sum(off) > CORNERS * np.sum(known):
        k = int(np.flatnonzero(off)[-1])
        raise InputError(
            f"the derivative of the operator {name} disagrees with its function: at {SAMPLES[k]:.4g} it is {stated[k]:.4g}, "
            f"but the function's slope is {slope[k]:.4g}"
        )


def check_homogeneous(name: str, function: Any) -> None:
    """Raises InputError unless f(2u) = 2f(u) at the sample points."""
    once, twice = _values(function, SAMPLES), _values(function, 2.0 * SAMPLES)
    off = np.isfinite(once) & np.isfinite(twice) & ~np.isclose(twice, 2.0 * once, rtol=1e-9, atol=0.0)
    if np.any(off):
        k = int(np.flatnonzero(off)[0])
        raise InputError(
            f'the operator {name} cannot have the dimension "same": it would depend on the unit of its argument, as '
            f"{name}({2 * SAMPLES[k]:.4g}) is not 2*{name}({SAMPLES[k]:.4g})"
        )


def check_interval(name: str, function: Any, interval: Interval) -> None:
    """Raises InputError where values at sample points are outside of the bounds."""
    ends = np.sort(SAMPLES)[::BOX_STRIDE]
    first, last = np.triu_indices(len(ends))
    lo, hi = ends[first], ends[last]
    try:
        low, high = (np.broadcast_to(np.asarray(b, dtype=np.float64), lo.shape) for b in interval(lo, hi))
    except Exception as error:
        # The user's function may raise anything.
        raise InputError(
            f"the interval function of the operator {name} must take two arrays and return two: {told_by(error)}"
        ) from error
    values = _values(function, SAMPLES)
    for a, b, least, most in zip(lo, hi, low, high, strict=True):
        inside = (a <= SAMPLES) & (b >= SAMPLES)
        outside = inside & ((values < least) | (values > most))
        if np.any(outside):
            u = float(SAMPLES[outside][0])
            raise InputError(
                f"the interval function of the operator {name} is wrong: over [{a:.4g}, {b:.4g}] it says "
                f"[{least:.4g}, {most:.4g}], but {name}({u:.4g}) is {float(values[outside][0]):.4g}"
            )


def fingerprint(function: Any) -> Any:
    """A key that is equal for functions that do the same, as far as their code tells."""
    return _fingerprint(function, frozenset())


def _fingerprint(function: Any, outer: frozenset[int]) -> Any:
    """The same of a function that those of ``outer`` use."""
    plain = getattr(function, "py_func", function)
    code = getattr(plain, "__code__", None)
    if code is None or id(code) in outer:
        return plain if code is None else plain.__qualname__
    outer |= {id(code)}
    cells = tuple(_used_value(cell.cell_contents, outer) for cell in plain.__closure__ or ())
    # Compiled code holds the values that global names had.
    names = sorted(_names(code) & plain.__globals__.keys())
    others = tuple((name, _used_value(plain.__globals__[name], outer)) for name in names)
    return (_code_parts(code), cells, others, repr(plain.__defaults__))


def _used_value(value: Any, outer: frozenset[int]) -> Any:
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, ModuleType):
        return value.__name__
    return _fingerprint(value, outer) if callable(value) else repr(value)


def _names(code: CodeType) -> set[str]:
    """The global names of a function's code, those of functions within it too."""
    inner = (_names(c) for c in code.co_consts if isinstance(c, CodeType))
    return {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}.union(*inner)


def _code_parts(code: CodeType) -> tuple[Any, ...]:
    constants = tuple(_code_parts(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return (code.co_code, code.co_names, constants)
