"""How likely it is that the law is not among the systems that were met.

A search that still finds better systems has not seen them all. If systems that are better than all before come spread alike
over the logarithm of the work, as records do, and k of them came in the second half of it, then twice the work finds k + ½ more
on the average (with Jeffreys' prior of a rate), and a share c of these is the law where those before were not:

    P(unmet) = 1 - exp(-c (k + ½)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.discovery.trials.judge import Judged
from hypo.dynamics.system import System

# c: set on systems that were drawn from the textbooks (benchmarks/dynamics/calibration.py drawn).
SHARE = 0.3


def unmet_weight(judged: Sequence[Judged | None]) -> float:
    """P(unmet) of systems in the order in which they were fitted; None stands for a fit that failed."""
    return 1.0 - math.exp(-SHARE * (late_records(judged) + 0.5))


def late_records(judged: Sequence[Judged | None]) -> int:
    """How often, in the second half of the fits, a system of another form became the best."""
    form: tuple[str, ...] = ()
    best, count = math.inf, 0
    for n, j in enumerate(judged):
        if j is None or not j.score < best:
            continue
        best, new = j.score, _form(j.fitted.system)
        count += 2 * n >= len(judged) and new != form
        form = new
    return count


def _form(system: System) -> tuple[str, ...]:
    return tuple(as_sum(e).form for e in system.equations)
