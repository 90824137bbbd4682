"""The Python interface: data and knowledge in, a :class:`~hypo.result.result.Result` out."""

from hypo.api.audit import Audit, audit
from hypo.api.fit import fit
from hypo.api.merge import merge
from hypo.api.score import Scored, score

__all__ = ["Audit", "Scored", "audit", "fit", "merge", "score"]
