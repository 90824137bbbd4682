"""The time of a search: when its turns, finishing, the chains of the posterior, the checks and the result end.

    begin ── turns ── finishing ── neighbours ── chains ── time limit ── rules ── guesses ── result

Stages look at the clock between small steps. An alarm soon after ends what does not look.
"""

from __future__ import annotations

from hypo.clock import Clock, now
from hypo.posterior.structure_mcmc import budget
from hypo.search.alarm import Alarm

# Seconds after the deadline of a stage at which its alarm rings.
SLACK = 0.1
# Seconds after the time limit at which finishing and the chains end at the latest.
WEIGHED_BY = 0.1
# Seconds after the time limit at which the check of rules ends.
SETTLED_BY = 0.4
# Seconds after the time limit at which the scores of guesses end.
GUESSED_BY = 0.45
# Seconds after the time limit at which the result is to be made.
MADE_BY = 0.5
# Seconds for what PySR found last.
GRACE = 2.0
# Seconds for finishing the best formulas. Half of them are kept, the others come from the time of the chains, if need be; as
# long as is kept goes to what stands around the formulas, which the posterior weighs.
FINISHING = 1.0
# The share of the time limit that finishing takes at most.
FINISHING_SHARE = 0.1
# The share of the time limit that loading and reading leave at least.
LEFT_SHARE = 0.5
# Seconds of the time limit that loading and reading leave at most, where they took long.
LEFT = 0.5
# Seconds of loading and reading that are not counted, so that a limit of a second is not spent before the search begins.
UNCOUNTED = 0.3


class TimePlan:
    """The moments (:func:`hypo.clock.now`) at which the stages of one search end, and the ``clock`` that all of them look at.

    ``limit`` is the moment of the time limit of ``seconds``, which counts from ``since``, None: from now. With ``has_chains``
    the posterior takes a share of it. Each stage asks for its time as it begins; it may put the clock off, never bring it
    forward.
    """

    def __init__(self, seconds: float, has_chains: bool, since: float | None = None) -> None:
        self.begin = now()
        self.limit = self.begin + seconds
        if since is not None:
            left = min(LEFT_SHARE * seconds, LEFT)
            self.limit = max(min(since + UNCOUNTED, self.begin) + seconds, self.begin + left)
        self._chain_seconds = budget(seconds)
        self._chains_begin = self.limit - (self._chain_seconds if has_chains else 0.0)
        self._kept = min(FINISHING, FINISHING_SHARE * seconds) / 2
        self.clock = Clock(deadline=self._chains_begin - self._kept)

    @property
    def made_by(self) -> float:
        """The moment at which the result is to be made."""
        return self.limit + MADE_BY

    def for_turns(self) -> Alarm:
        """The alarm that ends the turns; the clock ends them before."""
        return Alarm(self._chains_begin + SLACK)

    def for_last_of_pysr(self) -> None:
        """Put the clock off for the last formulas of PySR."""
        self.clock.put_off(now() + GRACE)

    def for_finishing(self) -> Alarm:
        """Put the clock off for finishing the best formulas; the alarm that ends it."""
        return self._until(max(self._chains_begin, now() + 2 * self._kept))

    def for_neighbours(self) -> Alarm:
        """Put the clock off for the formulas around the best; the alarm that ends it."""
        return self._until(now() + self._kept)

    def for_chains(self) -> Alarm:
        """Put the clock off for the chains of the posterior; the alarm that ends them. Of a search that ended early they may
        take more; their work has a bound of its own."""
        return self._until(max(now() + self._chain_seconds / 2, self.limit))

    def for_rules(self) -> Alarm:
        """The alarm that ends the check of rules."""
        return Alarm(self.limit + SETTLED_BY)

    def for_guesses(self) -> Alarm:
        """Put the clock off for the scores of guesses; the alarm that ends them."""
        self.clock.put_off(now() + 2 * self._kept)
        return Alarm(self.limit + GUESSED_BY)

    def _until(self, moment: float) -> Alarm:
        """Let the clock run to a moment, though not far beyond the time limit, and an alarm ring soon after it."""
        self.clock.put_off(moment)
        self.clock.deadline = min(self.clock.deadline, self.limit + WEIGHED_BY)
        return Alarm(self.clock.deadline + SLACK)
