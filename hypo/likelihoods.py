"""The names that an author of a likelihood needs: the family, its rows, and what a table may have beside targets.

A likelihood is two classes. A :class:`Family` knows its name, the targets that it can give, moments, draws and quantiles; its
rows, a :class:`RowLikelihood`, know the loss of the rows of a table and its :class:`Derivatives`. A package offers the family
through the entry point group ``hypo.likelihoods``; users then give its name, ``likelihood="…"``. These names stay where they
are; the modules behind them may move.

A function of targets and predictions alone needs no class: it is given as ``log_likelihood``.
"""

from __future__ import annotations

from hypo.likelihood.base import Likelihood, Values
from hypo.likelihood.family import LIMITS, SIGMA, TRIALS, X_SIGMA, ColumnNoise, Family
from hypo.likelihood.row_likelihood import Derivatives, RowLikelihood, find_scale

__all__ = [
    "LIMITS",
    "SIGMA",
    "TRIALS",
    "X_SIGMA",
    "ColumnNoise",
    "Derivatives",
    "Family",
    "Likelihood",
    "RowLikelihood",
    "Values",
    "find_scale",
]
