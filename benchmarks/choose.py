"""Which problems of a suite a run of a benchmark takes: those named by ``--only``, of these every n-th by ``--shard k/n``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Named(Protocol):
    """A problem of a suite."""

    @property
    def name(self) -> str: ...


Problem = TypeVar("Problem", bound=Named)


def only(problems: Sequence[Problem], names: str, suite: str) -> list[Problem]:
    """The problems named, with commas between names, all for none; SystemExit for a name that is not in the suite."""
    if not names:
        return list(problems)
    wanted = names.split(",")
    if missing := set(wanted) - {p.name for p in problems}:
        raise SystemExit(f"not in the suite {suite}: {', '.join(sorted(missing))}")
    return [p for p in problems if p.name in wanted]


def shard(problems: Sequence[Problem], which: str) -> list[Problem]:
    """Every n-th problem from the k-th on, for ``k/n``."""
    k, n = map(int, which.split("/"))
    return list(problems[k - 1 :: n])
