"""The agreement of the chains of all shards of one search.

Each shard's chains walk by themselves, with random numbers of their own, and only their reports are kept, not their visits. So
what is said of all of them is the worst of what is said of each, and how far apart the shards' posteriors are: with P_k that of
shard k and P the joint one, the total variation distance ½ Σ |P_k - P|. Shards whose chains sat in different places have found
different structures, and P_k is then far from P, although each shard's chains agree among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypo.posterior.posterior import Posterior, structure_key
from hypo.posterior.structure_mcmc import APART


def shards_agree(posteriors: Mapping[int, Posterior], joint: Posterior) -> dict[str, Any] | None:
    """The entry ``chain`` of ``inclusion`` for the ``joint`` posterior of shards by number; None where no shard has chains.

    ``chains`` and ``weighed`` add up; ``steps`` and ``acceptance`` are the least, ``visited``, ``between_chains``,
    ``to_weights`` and ``rhat`` the largest of one shard (None: not finite). ``apart`` is the largest distance of a shard's
    posterior to the joint one. ``mixed``: the chains of every shard are, and ``apart`` is below 0.25. ``shards`` has what each
    shard says.
    """
    own = {k: p.chain for k, p in posteriors.items() if p.chain is not None}
    if not own:
        return None
    weights = {structure_key(s.expression): s.weight for s in joint.structures}
    apart = max(_distance(p, weights) for p in posteriors.values())
    each = list(own.values())
    rhat = {name: [c["rhat"].get(name) for c in each] for name in each[0]["rhat"]}
    chains = sum(c["chains"] for c in each)
    mixed = all(c["mixed"] for c in each) and apart < APART
    return {
        "chains": chains,
        "steps": min(c["steps"] for c in each),
        "acceptance": min(c["acceptance"] for c in each),
        "visited": max(c["visited"] for c in each),
        "weighed": sum(c["weighed"] for c in each),
        "between_chains": max(c["between_chains"] for c in each),
        "to_weights": max(c["to_weights"] for c in each),
        "rhat": {name: None if None in values else max(values) for name, values in rhat.items()},
        "apart": apart,
        "mixed": mixed,
        "verdict": _verdict(own, chains, apart),
        "shards": {str(k): dict(p.chain) if p.chain is not None else None for k, p in posteriors.items()},
    }


def _distance(p: Posterior, joint: Mapping[str, float]) -> float:
    """Total variation distance of a shard's posterior to the weights of all."""
    shares = {structure_key(s.expression): s.weight for s in p.structures}
    # fsum rounds once: the order of a set differs from process to process.
    return 0.5 * math.fsum(abs(shares.get(k, 0.0) - joint.get(k, 0.0)) for k in {*shares, *joint})


def _verdict(own: Mapping[int, Mapping[str, Any]], chains: int, apart: float) -> str:
    """A part of a sentence."""
    out = f"{chains} chains over structures in {len(own)} shard{'s' if len(own) > 1 else ''}"
    restless = [str(k) for k, c in own.items() if not c["mixed"]]
    if restless:
        shards = f"shard{'s' if len(restless) > 1 else ''} {', '.join(restless)}"
        return f"of {out} those of {shards} do not agree yet, so other likely structures may be missing"
    if apart >= APART:
        return f"{out} agree in each shard, but shards met different structures, so others may be missing"
    return f"{out} agree with these weights"
