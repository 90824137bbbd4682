"""One row of the table of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# The calls that take parameters.
FIT = "fit"
SCORE = "score"
AUDIT = "audit"
ESTIMATOR = "estimator"

# Where a value goes: to the reader of tables, to the knowledge, to the settings of the search, to the family of likelihoods,
# or nowhere else than to the call itself.
TABLE = "table"
KNOWLEDGE = "knowledge"
SEARCH = "search"
LIKELIHOOD = "likelihood"
CALL = "call"


class Required:
    """The default of a parameter that must be given."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = Required()


@dataclass(frozen=True)
class Option:
    """The option of a parameter on the command line.

    ``help`` may be a function that makes it when it is shown. ``spelling`` is empty where the option has the parameter's
    name. ``default_text`` is what the help calls the default; nothing is passed on where a user gives nothing, unless
    ``default`` is one that the command line has for itself. A flag passes ``flag`` on. ``multiple`` options may be repeated.
    """

    help: str | Callable[[], str]
    metavar: str | None = None
    type: type | None = None
    spelling: str = ""
    default_text: str = ""
    default: Any = None
    flag: bool | None = None
    multiple: bool = False


@dataclass(frozen=True)
class Parameter:
    """A parameter of one or more calls.

    Parameters
    ----------
    name
        What it is called in Python.
    type
        Its type as a signature has it. The names in it are imported by :mod:`hypo.api.parameters.write_types`.
    default
        ``REQUIRED`` where it must be given.
    help
        Its entry in docstrings, in Sphinx's markup.
    calls
        The calls that take it.
    goes_to
        Who takes the value: ``TABLE``, ``KNOWLEDGE``, ``SEARCH``, ``LIKELIHOOD`` or ``CALL``.
    convert
        ``convert(name, value)`` checks a value and gives what is passed on; raises InputError. None: who takes it checks it.
    option
        Its option on the command line, if it has one.
    is_positional
        True where it may be given by place.
    variants
        For calls in which it is otherwise, the fields that differ.
    """

    name: str
    type: str
    default: Any
    help: str
    calls: tuple[str, ...]
    goes_to: str
    convert: Callable[[str, Any], Any] | None = None
    option: Option | None = None
    is_positional: bool = False
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def within(self, call: str) -> Parameter:
        """The row as ``call`` has it."""
        return replace(self, **self.variants.get(call, {}))
