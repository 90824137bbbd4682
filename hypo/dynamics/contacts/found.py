"""Events that were found in the data: what a report says of them, and what rollouts do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# The constant of an event that says where its wall or bound is.
PLACE = "place"
# The one that says what share of the speed a wall sends back.
SHARE = "share"
# Digits of numbers in texts of events: errors of constants are larger.
_DIGITS = 6


@dataclass(frozen=True)
class FoundEvent:
    """A wall or a bound of the states.

    Attributes:
        state: that meets it.
        is_above: True where it is the state's largest value.
        speed: the state that is turned by a wall; None where the state is held at a bound.
        constants: by name, value and standard error: ``place``, and of a wall ``share``.
        count: how often it was met.
    """

    state: str
    is_above: bool
    speed: str | None
    constants: Mapping[str, tuple[float, float]]
    count: int

    @property
    def text(self) -> str:
        """The event as :meth:`hypo.dynamics.integration.events.Event.parse` reads it."""
        mark = ">" if self.is_above else "<"
        place = _write(self.constants[PLACE][0])
        if self.speed is None:
            return f"{self.state} {mark} {place}: {self.state} = {place}"
        return f"{self.state} {mark} {place}: {self.speed} = -{_write(self.constants[SHARE][0])}*{self.speed}"

    def remark(self) -> str:
        """A sentence for the user, without its full stop."""
        place, error = self.constants[PLACE]
        times = f"{self.count} time{'s' * (self.count != 1)}"
        if self.speed is None:
            return (
                f"{self.state} is held at {place:.4g} by a bound, {times}; the laws were fitted to what lies between, and "
                f'rollouts have the event "{self.text}"'
            )
        share, share_error = self.constants[SHARE]
        return (
            f"{self.state} meets a wall at {place:.4g} ± {error:.2g}, {times}, which sends back {share:.4g} ± "
            f"{share_error:.2g} of {self.speed}; the laws were fitted to the flights between, and rollouts have the event "
            f'"{self.text}"'
        )


def _write(value: float) -> str:
    """A number as formulas have it; one below 0 in brackets."""
    text = f"{value:.{_DIGITS}g}"
    return text if value >= 0 else f"({text})"
