"""What installed packages offer through entry points, by group and name; a package is imported when its offer is used."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Offers: TypeAlias = "tuple[EntryPoint, ...]"


def find_offers(group: str) -> Mapping[str, Offers]:
    """The entry points of ``group`` by the name they offer, without importing any."""
    return _find_installed(group, tuple(sys.path))


@lru_cache(maxsize=8)
def _find_installed(group: str, _path: tuple[str, ...]) -> Mapping[str, Offers]:
    """:func:`find_offers`, looked for once for each ``sys.path``."""
    # Slow to import, and most runs need no package.
    from importlib.metadata import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, []).append(point)
    return {name: tuple(points) for name, points in found.items()}


def load(offers: Offers, what: str, error: type[Exception]) -> Any:
    """The object that ``offers`` of one name stand for; ``what`` names it in messages, as in ``the rule kind saturates``.

    Raises ``error``, naming the packages, where it cannot be imported or several packages offer different ones.
    """
    packages = name_packages(offers)
    if len({offer.value for offer in offers}) > 1:
        raise error(f"the packages {packages} both offer {what}; uninstall one of them")
    try:
        return offers[0].load()
    except Exception as failure:
        # A package may fail in any way.
        raise error(f"{what} of the package {packages} cannot be loaded: {say_reason(failure)}") from failure


def load_class(base: type, shown: str, offers: Offers, what: str, error: type[Exception]) -> Any:
    """The subclass of ``base`` (``shown`` to its authors) that :func:`load` gives. Its ``kind`` must be the name of the offers.

    Raises ``error``, naming the package, where it cannot be imported or is something else.
    """
    loaded, point = load(offers, what, error), offers[0]
    offered = f"the package {name_packages(offers)} offers {what}, but {point.value}"
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise error(f"{offered} is no subclass of {shown}")
    own = getattr(loaded, "kind", None)
    if own is None:
        raise error(f'{offered} has no kind; it needs kind = "{point.name}" in its body')
    if own != point.name:
        shown_kind = f'"{own}"' if isinstance(own, str) else repr(own)
        raise error(f"{offered} calls itself {shown_kind}")
    return loaded


def name_packages(offers: Sequence[EntryPoint]) -> str:
    """The packages of entry points with their versions: ``a 1``, ``a 1 and b 2``, ``a 1, b 2 and c 3``."""
    names = ["of unknown name" if point.dist is None else f"{point.dist.name} {point.dist.version}" for point in offers]
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def say_reason(failure: Exception) -> str:
    """The kind of an exception and the first line of its message."""
    first = str(failure).strip().split("\n")[0]
    return f"{type(failure).__name__}: {first}" if first else type(failure).__name__
