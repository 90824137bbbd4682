"""Checks of single parameters: each takes the name and the value, gives what is passed on, and raises InputError."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from hypo.checks import read_seconds, require_number, require_whole_number
from hypo.errors import InputError

if TYPE_CHECKING:
    from hypo.expression.expr import Expression
    from hypo.expression.user_operators import Operator

# Bytes by the prefix of a size, as powers of 1000 or, with an i, of 1024.
_PREFIXES = " KMGT"

# Shards of one search, at most: those that are missing are listed.
MOST_SHARDS = 100_000


def read_time(name: str, value: Any) -> float:
    """Seconds of a number or a duration."""
    return read_seconds(name, value)


def read_optional_time(name: str, value: Any) -> float:
    """Seconds of a number or a duration; endless for None."""
    return float("inf") if value is None else read_seconds(name, value)


def check_seed(name: str, value: Any) -> int:
    """A whole number, 0 or more."""
    require_number(name, value, Integral, "a whole number, 0 or more")
    if value < 0:
        raise InputError(f"the seed must be 0 or more, got {value}")
    return int(value)


def check_count(name: str, value: Any) -> int:
    """A whole number, 0 or more, such as how many seeds an audit takes."""
    require_whole_number(name, value, 0)
    return int(value)


def check_turns(name: str, value: Any) -> int | None:
    """None, or a whole number from 1 on."""
    if value is None:
        return None
    require_whole_number(name, value, 1)
    return int(value)


def check_max_complexity(name: str, value: Any) -> int | None:
    """None, or a whole number from 1 on."""
    if value is None:
        return None
    require_number(name, value, Integral, "a whole number, 1 or more")
    if value < 1:
        raise InputError(f"the largest complexity must be 1 or more, got {value}")
    return int(value)


def check_workers(name: str, value: Any) -> int:
    """A whole number from 1 on; all cores for None."""
    if value is None:
        return count_cores()
    require_number(name, value, Integral, "a whole number, 1 or more")
    if value < 1:
        raise InputError(f"the number of workers must be 1 or more, got {value}")
    return int(value)


def count_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_penalty_weight(name: str, value: Any) -> float | None:
    """None, or a number from 0 on."""
    if value is not None:
        require_number(name, value, Real, "a number, 0 or more")
        if not 0 <= value < float("inf"):
            raise InputError(f"lambda must be a number from 0 on, got {value}")
    return value  # type: ignore[no-any-return]


def check_backend(name: str, value: Any) -> str:
    """One of those there are."""
    from hypo.problem.problem import BACKENDS

    if value not in BACKENDS:
        raise InputError(f"the {name} must be {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}, got {value!r}")
    return str(value)


def check_intervals(name: str, value: Any) -> str:
    """``laplace`` or ``profile``."""
    from hypo.problem.problem import LAPLACE, PROFILE

    if value not in (LAPLACE, PROFILE):
        raise InputError(f"{name} must be {LAPLACE} or {PROFILE}, got {value!r}")
    return str(value)


def check_truth_value(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise InputError(f"{name} must be True or False, got {value!r}")
    return value


def check_progress(name: str, value: Any) -> Any:
    """None, True, False or a function."""
    if callable(value) or value is None or isinstance(value, bool):
        return value
    raise InputError(f"{name} must be True, False or a function that takes reports, got {value!r}")


def check_scheduler(name: str, value: Any) -> str | None:
    """None, one of ours, or what looks like an address."""
    from hypo.parallel.executor import LOCAL, PROCESSES, THREADS

    ours = (THREADS, PROCESSES, LOCAL)
    if value is None or value in ours:
        return value  # type: ignore[no-any-return]
    if isinstance(value, str) and "://" in value:
        return value
    raise InputError(
        f"the {name} must be {', '.join(ours)} or the address of a Dask scheduler, such as tcp://host:8786, got {value!r}"
    )


def read_bytes(name: str, value: str | float | None) -> float | None:
    """Bytes for a number, or a text such as ``"4 GB"`` or ``"512M"``."""
    if value is None:
        return None
    wrong = f'{name} must be a number of bytes or a size such as "4 GB", got {value!r}'
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([0-9]+\.?[0-9]*)\s*([kKmMgGtT]?)(i?)[bB]?\s*", value)
        if found is None:
            raise InputError(wrong)
        number, prefix, binary = found.groups()
        size = 1024 if binary else 1000
        return float(number) * float(size ** _PREFIXES.index(prefix.upper() or " "))
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < float("inf"):
        raise InputError(wrong)
    return float(value)


def read_shard(name: str, value: str | Sequence[int] | None) -> tuple[int, int] | None:
    """(Number, of how many) for ``"3/16"`` or ``(3, 16)``."""
    if value is None:
        return None
    try:
        number, of = (int(part) for part in value.split("/")) if isinstance(value, str) else map(operator.index, value)
    except (TypeError, ValueError):
        raise InputError(f"the {name} must be written NUMBER/TOTAL, such as 3/16, got {value!r}") from None
    if not 1 <= number <= of:
        raise InputError(
            f"the {name} must be one of 1/{of} to {of}/{of}, got {number}/{of}"
            if of > 0
            else f"the number of shards must be 1 or more, got {of}"
        )
    if of > MOST_SHARDS:
        raise InputError(f"the number of shards must be {MOST_SHARDS:,} or less, got {of}")
    return number, of


def check_guesses(
    name: str, value: Sequence[str | Expression] | str | Expression | None
) -> tuple[str | Expression, ...]:
    """Formulas, as text or Expression, in a tuple."""
    from hypo.expression.expr import Expression

    if value is None:
        return ()
    listed = [value] if isinstance(value, str | Expression) or not isinstance(value, Iterable) else list(value)
    for guess in listed:
        if not isinstance(guess, str | Expression):
            raise InputError(f'{name} must be formulas, such as ["a*x/(b + x)"], got {guess!r}')
    return tuple(listed)


def read_operators(name: str, value: Sequence[str | Operator] | str | None) -> tuple[str, ...] | None:
    """Names of the operator table for what a user wrote, such as ``"+, ^, ln"``; None for None."""
    from hypo.expression.operators import ALIASES, BY_NAME, lookup
    from hypo.expression.user_operators import Operator

    if value is None:
        return None
    if not isinstance(value, Iterable):
        raise InputError(f'{name} must be names of operators, such as ["+", "*", "exp"], got {value!r:.40}')
    listed = value.replace(",", " ").split() if isinstance(value, str) else list(value)
    if not listed:
        raise InputError("the list of operators is empty; give some, such as +,-,*,/,sqrt")
    names = []
    for given in listed:
        text = given.name if isinstance(given, Operator) else given
        row = lookup(text) if isinstance(text, str) else None
        if row is None:
            from difflib import get_close_matches

            near = get_close_matches(str(text), [*BY_NAME, *ALIASES], n=1)
            hint = f"did you mean {near[0]}? The" if near else "the"
            if callable(given):
                raise InputError(
                    f"operators must be names or hypo.Operator, got {given!r:.60}; make it an operator first, with "
                    'hypo.Operator("name", function, derivative)'
                )
            raise InputError(f"unknown operator {text}; {hint} operators are {' '.join(BY_NAME)}")
        names.append(row.name)
    return tuple(dict.fromkeys(names))
