"""Names that have moved: their old modules hand them on with a DeprecationWarning, for one version."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

# The version without them.
REMOVED_IN = "0.2"


def forward_names(old: str, home: str, public: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of the module ``old``: names come from the module ``home``, and the warning says to import them from
    ``public``."""

    def look_up(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        try:
            found = getattr(import_module(home), name)
        except AttributeError:
            raise AttributeError(f"module {old!r} has no attribute {name!r}") from None
        if sys._getframe(1).f_code.co_name == "_handle_fromlist":
            # ``from package import name`` asks twice, first whether the name is there: one warning is enough.
            return found
        warnings.warn(
            f"{old}.{name} has moved and will not be there in hypo {REMOVED_IN}; import it from {public}",
            DeprecationWarning,
            stacklevel=2,
        )
        return found

    return look_up
