"""What a discovery of laws of motion may be told, in one table."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DelayRange:
    """A state whose value some time ago laws may use; the lag is sought between ``least`` and ``most``."""

    state: str
    least: float
    most: float


@dataclass(frozen=True)
class Options:
    """Settings of a discovery.

    Attributes:
        order: 1, or 2 where only positions are measured and the law gives their acceleration.
        discrete: True where the law gives the next value.
        hold: course of inputs between rows, ``"zero"``, ``"linear"`` or ``"spline"``.
        delays: states whose former values laws may use.
        use_time: True where laws may use time itself.
        time_limit: seconds, all in all.
        seed: of the searches.
        turns: of the search, at most.
        shard: (number, of how many): only turns of that number are taken; None: all.
        workers: processes that work side by side; they do not change the answer.
        scheduler: None or ``"processes"`` for processes of this machine, ``"local"`` or an address for a Dask cluster.
    """

    order: int = 1
    discrete: bool = False
    hold: str = "linear"
    delays: tuple[DelayRange, ...] = field(default=())
    use_time: bool = False
    time_limit: float = 60.0
    seed: int = 0
    turns: int = 1
    shard: tuple[int, int] | None = None
    workers: int = 1
    scheduler: str | None = None
