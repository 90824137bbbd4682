"""Claims about numbers: measured at points, enclosed over boxes, proved or refuted with a witness."""

from hypo.moved import forward_names

# This package was a module, whose names authors of kinds imported.
__getattr__ = forward_names(__name__, "hypo.knowledge.claims.claim", "hypo.rules")
