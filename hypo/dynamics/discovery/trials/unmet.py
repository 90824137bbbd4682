"""How likely it is that the law is not among the systems that were met.

A search that still finds better systems has not seen them all. If systems that are better than all before come spread alike
over the logarithm of the work, as records do, and k of them came in the second half of it, then twice the work finds k + ½
more on the average (with Jeffreys' prior of a rate). And where the samples leave a choice among M systems, they leave it among
others that were not met, too: M is the exponential of the entropy of the weights. A share c of all these is the law:

    P(unmet) = 1 - exp(-c (k + ½ + b (M - 1))).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypo.dynamics.discovery.trials.judge import Judged, structure_of

# c and b, with which the laws of systems that were drawn from the textbooks were likeliest under weights with this in them
# (benchmarks/dynamics/calibration.py, parts "drawn" and "search").
SHARE = 0.4
RIVALS = 0.5


def unmet_weight(judged: Sequence[Judged | None], weights: Sequence[float]) -> float:
    """P(unmet).

    Args:
        judged: systems in the order in which they were fitted; None stands for a fit that failed.
        weights: of forms, in any unit.
    """
    whole = math.fsum(weights)
    shares = [w / whole for w in weights if w > 0.0]
    choice = math.exp(-math.fsum(w * math.log(w) for w in shares))
    return 1.0 - math.exp(-SHARE * (late_records(judged) + 0.5 + RIVALS * max(choice - 1.0, 0.0)))


def late_records(judged: Sequence[Judged | None]) -> int:
    """How often, in the second half of the fits, a system of another form became the best."""
    form: tuple[str, ...] = ()
    best, count = math.inf, 0
    for n, j in enumerate(judged):
        if j is None or not j.score < best:
            continue
        best, new = j.score, structure_of(j.fitted.system)
        count += 2 * n >= len(judged) and new != form
        form = new
    return count
