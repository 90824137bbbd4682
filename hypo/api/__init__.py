"""The Python interface: data and knowledge in, a :class:`~hypo.result.Result` out."""

from hypo.api.auditing import Audit, audit
from hypo.api.fitting import fit
from hypo.api.given import Scored, score
from hypo.api.merging import merge

__all__ = ["Audit", "Scored", "audit", "fit", "merge", "score"]
