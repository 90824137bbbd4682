"""Shards of one search, checked before what they found is joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from hypo.errors import InputError

Found = TypeVar("Found")


@dataclass(frozen=True)
class Shard(Generic[Found]):
    """The share of shard ``number`` of ``of``: what it found, the checksum of its data, and where it is from."""

    number: int
    of: int
    found: Found
    sha256: str
    source: str


def arrange(
    shards: Iterable[Shard[Found]], search: str, difference: Callable[[Found, Found], str | None]
) -> list[Shard[Found]]:
    """The shards by number.

    Args:
        shards: of one search, it is hoped.
        search: the word for one, ``"fit"``.
        difference: says in which further way two differ that must not, as ``"differ in the setting seed"``; None for none.

    Raises:
        InputError: they are of different data, splits or searches, or one is there twice; the message names both.
    """
    out = sorted(shards, key=lambda s: s.number)
    for shard in out[1:]:
        _require_same(out[0], shard, search, difference)
    for one, two in pairwise(out):
        if one.number == two.number:
            raise InputError(f"shard {one.number} of {one.of} is there twice, in {one.source} and {two.source}")
    return out


def list_missing(shards: Sequence[Shard[Found]]) -> list[int]:
    """The numbers of those that are not there."""
    return sorted(set(range(1, shards[0].of + 1)) - {s.number for s in shards})


def _require_same(
    one: Shard[Found], two: Shard[Found], search: str, difference: Callable[[Found, Found], str | None]
) -> None:
    if one.sha256 != two.sha256:
        what: str | None = "are of different data"
    elif one.of != two.of:
        what = f"are of different splits, into {one.of} and {two.of} shards"
    else:
        what = difference(one.found, two.found)
    if what is not None:
        raise InputError(f"{one.source} and {two.source} {what}; merge shards of one {search}")
