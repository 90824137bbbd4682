"""What several searches along the same data found, as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.discovery.trials.judge import structure_of


def join(found: Sequence[Discovered]) -> Discovered:
    """All systems of searches whose scores compare, each form once, by its best fit, with weights anew.

    In one search a form has the weight w_j = E_j/Σ E of all its fits; with s_0 the score of the likeliest system, E_j/E_0 =
    w_j/w_0 and E_0 = exp(-s_0) nearly. Of a form that several searches found the largest E counts: they met the same fits.
    """
    best: dict[tuple[str, ...], tuple[float, WeightedSystem]] = {}
    for each in found:
        first = each.systems[0]
        for s in each.systems:
            log_evidence = math.log(s.weight / first.weight) - first.score if s.weight > 0 else -math.inf
            form = structure_of(s.fitted.system)
            old = best.get(form)
            if old is not None:
                s = min(old[1], s, key=lambda w: w.score)
                log_evidence = max(old[0], log_evidence)
            best[form] = log_evidence, s
    top = max(log_evidence for log_evidence, _ in best.values())
    # Together they met at least what each did.
    met = 1.0 - min(each.unmet for each in found)
    total = sum(math.exp(log_evidence - top) for log_evidence, _ in best.values()) / met
    ranked = sorted(best.values(), key=lambda each: (-each[0], each[1].score))
    systems = tuple(replace(s, weight=math.exp(log_evidence - top) / total) for log_evidence, s in ranked)
    chief = next(each for each in found if any(s.fitted is systems[0].fitted for s in each.systems))
    return replace(
        chief,
        systems=systems,
        remarks=tuple(dict.fromkeys(remark for each in (chief, *found) for remark in each.remarks)),
        seconds=sum(each.seconds for each in found),
        turns=sum(each.turns for each in found),
        is_cut=any(each.is_cut for each in found),
    )
