"""Moved: these names are in :mod:`hypo.rules`."""

from hypo.moved import forward_names

__getattr__ = forward_names(__name__, "hypo.knowledge.claims.claim_forms", "hypo.rules")
