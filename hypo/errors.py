"""Every exception that hypo raises on purpose.

::

    HypoError
    ├── InputError (ValueError)        something the user gave cannot be used
    │   ├── ArgumentError (TypeError)  a keyword that a function does not have
    │   ├── DataError                  a table: its file, line, column, values or shape
    │   ├── KnowledgeError             a knowledge file or dictionary
    │   ├── FormulaError               the text of a formula
    │   └── UnitError                  the text of a unit
    └── MissingExtraError (ImportError)   an optional dependency is not installed

Each message is one clear sentence: what is wrong, where, and what was expected or what to do. ``ShortSearchWarning`` is the
warning of a search that was too short to say anything.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "DataError",
    "FormulaError",
    "HypoError",
    "InputError",
    "KnowledgeError",
    "MissingExtraError",
    "ShortSearchWarning",
    "UnitError",
]


class HypoError(Exception):
    """Base class of all errors that hypo raises on purpose."""


class InputError(HypoError, ValueError):
    """Something the user gave cannot be used; the message says where and what to do."""


class ArgumentError(InputError, TypeError):
    """A function was given a keyword that it does not have; the message names the nearest one, or what to use instead."""


class DataError(InputError):
    """A data table cannot be used: missing file, bad cell, wrong column, wrong shape."""


class KnowledgeError(InputError):
    """A knowledge file or dictionary is wrong or states something not supported."""


class FormulaError(InputError):
    """The text of a formula cannot be read."""


class UnitError(InputError):
    """The text of a unit cannot be read."""


class MissingExtraError(HypoError, ImportError):
    """An optional dependency is not installed; the message holds the install command."""


class ShortSearchWarning(UserWarning):
    """A search ended before it found anything better than a constant."""
