"""Who of hypo's own proposers takes part in a search.

Another proposer is a class made from a :class:`~hypo.search.proposers.base.Workspace`, and one line in :data:`PROPOSERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from hypo.search.proposers.atoms import Atoms
from hypo.search.proposers.base import Proposer, Workspace
from hypo.search.proposers.beam import Beam
from hypo.search.proposers.evolution import Evolution
from hypo.search.proposers.library_scan import Scanner
from hypo.search.proposers.reduction import Reduction
from hypo.search.proposers.rescaled import Rescaled, Sizes
from hypo.search.proposers.screened import Screened
from hypo.search.proposers.stepwise import Stepwise

P = TypeVar("P")


def breed(workspace: Workspace) -> Evolution | None:
    """Evolution, which lives by fitting constants."""
    return Evolution(workspace) if workspace.settings.fit_constants else None


# Those who build on the library scan, by the names by which the settings want them, in the order of their turns where costs are
# equal. None: not in this search.
PROPOSERS: Mapping[str, Callable[[Workspace], Proposer | None]] = MappingProxyType(
    {"beam": Beam, "atoms": Atoms, "stepwise": Stepwise, "evolution": breed}
)
# Those who search in other sizes, too.
RESCALED: Mapping[str, Callable[[Workspace], Proposer]] = MappingProxyType(
    {"library": Scanner, "atoms": Atoms, "stepwise": Stepwise, "evolution": Evolution}
)


def make_proposers(workspace: Workspace, scanner: Scanner) -> list[Proposer]:
    """Everybody of hypo's own who takes part beside guesses, in the order of turns where costs are equal; without those that
    cannot be started."""
    return [p for p in _Starter(workspace, scanner).start() if p is not None]


class _Starter:
    """Starts the proposers one by one; an unexpected error leaves out the one it belongs to."""

    def __init__(self, workspace: Workspace, scanner: Scanner) -> None:
        self._workspace, self._scanner = workspace, scanner

    def start(self) -> Iterator[Proposer | None]:
        """The proposers that are wanted; None for each that cannot be started, or has no place in this problem."""
        scanner, workspace = self._scanner, self._workspace
        smaller = self._try("library", scanner.without_pure_powers)
        if self._is_wanted(scanner.name):
            yield self._try("library", scanner.on_orbits)
            yield smaller
            yield self._try("screened", lambda: Screened(workspace))
            yield scanner
        yield from self._start_rescaled()
        yield from self._start_reductions()
        beside = workspace.beside(scanner.state, None if smaller is None else smaller.state)
        for name, make in PROPOSERS.items():
            if self._is_wanted(name):
                yield self._try(name, partial(make, beside))

    def _start_rescaled(self) -> Iterator[Proposer]:
        """Those who search in sizes near 1, where the columns' own are extreme."""
        workspace = self._workspace
        if not workspace.settings.fit_constants:
            return
        sizes = self._try("rescaled", lambda: Sizes.of(workspace.context.problem))
        if sizes is not None:
            for name, make in RESCALED.items():
                if self._is_wanted(name):
                    yield Rescaled(sizes, workspace, make)

    def _start_reductions(self) -> Iterator[Proposer | None]:
        """The reduction, and the same without the mergers that it may find."""
        workspace = self._workspace
        reduction = self._try("reduction", lambda: Reduction(workspace))
        if self._is_wanted("reduction"):
            yield reduction
        if reduction is not None and self._is_wanted("scaling"):
            yield self._try("scaling", lambda: Reduction(workspace, doubt=reduction))

    def _try(self, name: str, make: Callable[[], P]) -> P | None:
        """The proposer that ``make`` makes; None after an unexpected error."""
        with self._workspace.failures.guarded(f"the start of the proposer {name}"):
            return make()
        return None

    def _is_wanted(self, name: str) -> bool:
        """True if the settings let the proposers of a name take part."""
        wanted = self._workspace.settings.proposers
        return wanted is None or name in wanted
