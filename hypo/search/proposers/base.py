"""Proposers: whatever puts forward hypotheses (scans, peels, evolution, guesses, other engines), and who has the next turn.

A proposer yields formulas; the engine simplifies, fits, scores and archives each before it asks for the next, so that a
proposer that looks at the archive sees what became of its last one. It is made from a :class:`Workspace`, and each turn brings
a :class:`Turn`. Third parties add their own through the entry point group ``hypo.proposers``: each entry names a callable
``(workspace) -> Proposer``, such as a class, whose parameter has that name, or one ``(problem, settings) -> Proposer``.
"""

from __future__ import annotations

import inspect
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hypo.clock import Clock
from hypo.errors import InputError
from hypo.expression.expr import Expression
from hypo.failures import Failures
from hypo.fitting.archive import Archive
from hypo.fitting.row_racing import make_problem_for_proposers
from hypo.plugins import find_offers
from hypo.problem.exact import is_exact
from hypo.problem.problem import Problem, Settings
from hypo.scoring.score import NATIVE
from hypo.search.library.context import Context, Workers
from hypo.search.library.library import Library
from hypo.search.library.seeds import plain_library
from hypo.search.scan.scan_state import ScanState

ENTRY_POINTS = "hypo.proposers"
# Formulas the engine takes from a proposer in one turn.
BUDGET = 400
# What a proposer brought fades by this factor with each of its turns.
MEMORY = 0.5
# A lower score counts as better from this many nats on.
BETTER = 0.1


def _tell_nobody(doing: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Workspace:
    """All that a proposer is made from, hypo's own or an installed one: the ``problem`` with all its rows, the ``settings``,
    the ``clock`` to watch and to count in, the ``workers`` (executors, and who fits batches), a collection of ``failures``,
    and ``report``, which is told what is being done. What changes from turn to turn, the archive and random numbers among it,
    comes with each :class:`Turn`.

    The racing rows (``context``) and a ``library`` to grow are made when they are first asked for. Those who search a smaller
    problem for this one make a workspace for it (:meth:`on`), whose ``context`` is given. ``scan`` is what the library scan
    knows, ``separated`` the same without variables that enter as pure powers; each is None where there is none.
    """

    problem: Problem
    settings: Settings
    clock: Clock = field(default_factory=Clock)
    workers: Workers = field(default_factory=Workers.of)
    failures: Failures = field(default_factory=Failures)
    report: Callable[[str], None] = _tell_nobody
    scan: ScanState | None = None
    separated: ScanState | None = None
    own_context: Context | None = None
    own_library: Library | None = None

    @cached_property
    def context(self) -> Context:
        """The racing rows, weights and clock of all scans."""
        if self.own_context is not None:
            return self.own_context
        problem = make_problem_for_proposers(self.problem, self.settings.seed)
        return Context.of(problem, self.settings, self.clock, self.workers)

    @cached_property
    def library(self) -> Library:
        """A library over all columns that whoever wants may grow."""
        if self.own_library is not None:
            return self.own_library
        return plain_library(self.context, self.settings, range(len(self.context.problem.columns)))

    @property
    def scanned_library(self) -> Library:
        """The library of the scan, which is the largest there is; without a scan the one to grow."""
        return self.library if self.scan is None else self.scan.plain

    def on(self, context: Context) -> Workspace:
        """The workspace of a smaller problem that stands for this one, that of ``context``."""
        return Workspace(
            context.problem,
            self.settings,
            context.clock,
            context.workers,
            self.failures,
            self.report,
            own_context=context,
        )

    def beside(self, scan: ScanState, separated: ScanState | None = None, library: Library | None = None) -> Workspace:
        """The same workspace for those who build on a scan; they share its ``library`` where one is given."""
        library = self.own_library if library is None else library
        return replace(self, scan=scan, separated=separated, own_context=self.context, own_library=library)


@dataclass(frozen=True)
class Turn:
    """All that a proposer is given for one turn: the problem, the archive to read, a clock to watch, at most ``budget``
    formulas to yield, and an ``rng`` that depends on the seed, the proposer's name and the turn's ``number`` only. ``alone``:
    nobody else has anything left to propose. ``failures`` collects unexpected errors of what can be left out. In the turn of a
    smaller problem ``outer`` is that of the whole."""

    problem: Problem
    archive: Archive
    clock: Clock
    rng: np.random.Generator
    number: int
    budget: int = BUDGET
    alone: bool = False
    outer: Turn | None = None
    failures: Failures = field(default_factory=Failures)

    @property
    def done(self) -> bool:
        """True if there is nothing left to find: an exact formula is known, or time is up."""
        whole = self.outer or self
        return self.clock.expired or is_exact(whole.archive.best, whole.problem)

    def inner(self, problem: Problem) -> Turn:
        """The same turn for a smaller problem that stands for this one, with an archive of its own."""
        return replace(self, problem=problem, archive=Archive(problem.X, problem.columns), outer=self.outer or self)


@runtime_checkable
class Proposer(Protocol):
    """``name`` says who proposed; ``cost`` is what the next turn takes, in seconds on an ordinary core, ``inf`` when nothing is
    left. It orders the turns, so it must not come from a measurement: equal seeds are to give equal answers.

    ``propose`` may count what it scored by itself in ``turn.clock.scored`` and should stop when ``turn.clock.expired``.
    Constants marked free are fitted from the values they come with. A text attribute ``origin`` marks what it found on the
    front; without one that counts as native.
    """

    name: str

    @property
    def cost(self) -> float:
        """Seconds of the next turn, or ``inf``."""
        ...

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas of one turn, the most promising first."""
        ...


@dataclass
class _Account:
    proposer: Proposer
    spent: float = 0.0
    credit: float = 0.0
    turns: int = 0
    dropped: bool = False


@dataclass
class Schedule:
    """Turns go to the proposer with the most credit for its cost: (1 + credit)/(spent + cost of the next turn), credit being
    Σ 2^−k over its turns that found something better, k turns ago. Without gains all get equal shares, the cheap ones
    first. Whoever fails takes part no longer."""

    seed: int
    share: int = 1
    _accounts: list[_Account] = field(default_factory=list)
    spent: float = 0.0
    failures: Failures = field(default_factory=Failures)

    def add(self, proposer: Proposer) -> None:
        """Let a proposer take part. Raises InputError when it is none."""
        require_proposer(proposer)
        self._accounts.append(_Account(proposer))

    def drop(self, proposer: Proposer) -> None:
        """A proposer that failed gets no more turns."""
        self._account(proposer).dropped = True

    @property
    def has_failed(self) -> bool:
        """True if somebody was dropped."""
        return any(a.dropped for a in self._accounts)

    @property
    def turns(self) -> int:
        """Turns taken so far."""
        return sum(a.turns for a in self._accounts)

    @property
    def is_waiting(self) -> bool:
        """True if somebody with something to propose has not had a turn."""
        return any(a.turns == 0 for a, _ in self._live())

    def next(self) -> Proposer | None:
        """Whose turn it is; None when nobody has anything left."""
        live = self._live()
        if not live:
            return None
        return max(live, key=lambda x: (1.0 + x[0].credit) / (x[0].spent + max(x[1], 1e-6)))[0].proposer

    def _live(self) -> list[tuple[_Account, float]]:
        """Who has something left, and the costs of their next turns."""
        out = []
        for account in self._accounts:
            if account.dropped:
                continue
            cost = math.inf
            with self.failures.guarded(f"the proposer {account.proposer.name}") as guard:
                cost = account.proposer.cost
            account.dropped = guard.failed
            if cost < math.inf:
                out.append((account, cost))
        return out

    def turn(self, proposer: Proposer, problem: Problem, archive: Archive, clock: Clock) -> Turn:
        """Open a turn: its cost is charged."""
        account = self._account(proposer)
        # Shares of one search draw differently, the first as the whole would.
        own = [self.share] if self.share > 1 else []
        rng = np.random.default_rng([self.seed, zlib.crc32(proposer.name.encode()), account.turns, *own])
        alone = len(self._live()) <= 1
        turn = Turn(problem, archive, clock, rng, account.turns, alone=alone, failures=self.failures)
        account.spent += proposer.cost
        account.turns += 1
        self.spent += proposer.cost
        return turn

    def close(self, proposer: Proposer, gain: float) -> None:
        """End a turn that lowered the best score by ``gain`` nats."""
        account = self._account(proposer)
        account.credit = MEMORY * account.credit + (gain > BETTER)

    def _account(self, proposer: Proposer) -> _Account:
        return next(a for a in self._accounts if a.proposer is proposer)


def require_proposer(proposer: object) -> Proposer:
    """The proposer itself. Raises InputError when it is none."""
    if not isinstance(proposer, Proposer):
        raise InputError(f"{proposer!r} is no proposer: it needs name, cost and propose(turn)")
    return proposer


def origin(proposer: Proposer) -> str:
    """The mark of the hypotheses of ``proposer``: its attribute ``origin`` if it has one."""
    return str(getattr(proposer, "origin", NATIVE))


def load_installed(workspace: Workspace) -> Sequence[Proposer]:
    """Proposers of installed packages, by the names of their entry points, as far as the settings want them. Raises InputError
    when one cannot be loaded, naming it."""
    out: list[Proposer] = []
    wanted = workspace.settings.proposers
    offers = {name: points for name, points in find_offers(ENTRY_POINTS).items() if wanted is None or name in wanted}
    for point in chain.from_iterable(offers[name] for name in sorted(offers)):
        try:
            out.append(require_proposer(_make_by(point.load(), workspace)))
        except InputError:
            raise
        except Exception as error:  # whatever a foreign package raises: its user should know which one it was
            raise InputError(f"the proposer {point.name!r} ({point.value}) could not be started: {error}") from error
    return out


def _make_by(make: Callable[..., Any], workspace: Workspace) -> Any:
    """The proposer that an entry point makes, of the workspace where it has a parameter of that name."""
    try:
        wanted = set(inspect.signature(make).parameters)
    except (TypeError, ValueError):
        # What has no signature was written for the two arguments that all had at first.
        wanted = set()
    return make(workspace) if "workspace" in wanted else make(workspace.problem, workspace.settings)
