"""Keywords that a function does not have: one sentence that names the nearest one, or what to use instead.

Python's own message says only that a keyword was unexpected. Who comes from another tool knows other names for the same thing,
and who mistypes one wants to hear the right one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from hypo.errors import ArgumentError

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

# How much alike a name and its nearest match must be (difflib's ratio).
ALIKE = 0.55


def check_keywords(elsewhere: Mapping[str, str] | None = None, name: str | None = None) -> Callable[[F], F]:
    """A decorator: the function raises ArgumentError, a TypeError, for a keyword that it does not have.

    ``elsewhere`` says for names of other tools, or of other functions, what to do instead: ``{"niterations": "give
    time_limit"}``. ``name`` is what the message calls the function.
    """

    def decorate(function: F) -> F:
        parameters = inspect.signature(function).parameters.values()
        own = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        known = frozenset(own)
        placed = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        most, open_ended = len(placed), any(p.kind is p.VAR_POSITIONAL for p in parameters)

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if not kwargs.keys() <= known:
                refuse(name or function.__qualname__, kwargs, own, elsewhere or {})
            if len(args) > most and not open_ended:
                raise ArgumentError(_too_many(name or function.__qualname__, own, placed, len(args)))
            return function(*args, **kwargs)

        return checked  # type: ignore[return-value]

    return decorate


def check_fields(cls: C) -> C:
    """The same for the fields of a dataclass: a decorator of the class."""
    # Reading the attribute is right here: the method itself is replaced.
    cls.__init__ = check_keywords(name=cls.__name__)(cls.__init__)  # type: ignore[misc]
    return cls


def check_methods(cls: C) -> C:
    """The same for all public methods of a class, and for making one: a decorator of the class."""
    for name, member in list(vars(cls).items()):
        function = getattr(member, "__func__", member)
        if (name.startswith("_") and name != "__init__") or not inspect.isfunction(function):
            continue
        checked: Any = check_keywords(name=cls.__name__ if name == "__init__" else None)(function)
        setattr(cls, name, checked if function is member else type(member)(checked))
    return cls


def refuse(name: str, given: Iterable[str], own: Iterable[str], elsewhere: Mapping[str, str]) -> None:
    """Raises ArgumentError for the first of ``given`` that is not among ``own``; nothing where all are."""
    shown = [word for word in own if word != "self"]
    for word in given:
        if word not in shown:
            raise ArgumentError(f"{name} has no keyword {word}{_instead(word, shown, elsewhere)}")


def _too_many(name: str, own: list[str], placed: list[str], count: int) -> str:
    """Says which arguments go by place."""
    bound = "self" in placed
    shown, count = [word for word in placed if word != "self"], count - bound
    others = [word for word in own if word not in placed]
    first = f"{name} takes {' and '.join(shown) or 'nothing'} by place, and got {count} arguments there"
    return f"{first}; give the others by name, as in {others[0]}=…" if others else first


def _instead(word: str, own: list[str], elsewhere: Mapping[str, str]) -> str:
    """Advice on the name to use in the place of ``word``, as the end of a sentence."""
    if word in elsewhere:
        return f": {elsewhere[word]}"
    plain = {other.lower().replace("_", ""): other for other in reversed([*own, *elsewhere])}
    near = get_close_matches(word.lower().replace("_", ""), plain, n=1, cutoff=ALIKE)
    if not near:
        return f"; its keywords are {', '.join(own)}" if own else "; it takes none"
    found = plain[near[0]]
    return f"; did you mean {found}?" + (f" {elsewhere[found].capitalize()}" if found in elsewhere else "")
