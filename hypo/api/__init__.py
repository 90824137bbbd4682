"""The Python interface: data and knowledge in, a :class:`~hypo.result.Result` out."""

from hypo.api.fitting import fit
from hypo.api.given import Scored, score
from hypo.api.merging import merge

__all__ = ["Scored", "fit", "merge", "score"]
