"""Scored hypotheses: score = misfit + complexity + λ·violation, each term kept apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.printing import Written, shortened
from hypo.expression.program import Program
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.scoring.code_length import code_length
from hypo.scoring.row_sums import BLOCK_ROWS, RowSums

# The mark of what hypo's own search found.
NATIVE = "native"


@dataclass(frozen=True)
class Hypothesis:
    """An expression with its score. ``score = misfit + complexity_cost + λ·violation`` (nats); rmse in target units.

    ``origin`` says which backend found it; whoever archives a hypothesis sets it.
    """

    expression: Expression
    complexity: float
    misfit: float
    complexity_cost: float
    violation: float
    score: float
    r2: float
    rmse: float
    origin: str = NATIVE

    @property
    def pretty(self) -> Written:
        """The formula as readable text; ``pretty(6)`` has six digits."""
        return Written(self.expression.pretty)

    @property
    def latex(self) -> Written:
        """The formula in LaTeX; ``latex(6)`` has six digits."""
        return Written(self.expression.latex)

    def __repr__(self) -> str:
        fits = f"complexity {self.complexity:g}, score {self.score:.2f}, rmse {self.rmse:.4g}"
        return f"<Hypothesis {shortened(self.pretty)}; {fits}>"


@dataclass(frozen=True)
class Scorer:
    """Everything a score depends on besides the expression.

    ``X`` (n_var, n_row) with ``columns`` naming its lines; ``violation`` maps an expression to (amount, hard): a hard
    violation removes the hypothesis whatever its amount. ``extra_cost`` is what the code length does not hold: the units of
    fitted constants, and operators that are less likely beforehand. ``offset`` is what :meth:`approximate` lacks of the true
    misfit where the likelihood stands for another one.
    """

    X: NDArray[np.float64]
    columns: Sequence[str]
    likelihood: Likelihood
    symbols: int
    weights: Mapping[str, float] = field(default_factory=dict)
    lam: float = 1.0
    violation: Callable[[Expression], tuple[float, bool]] | None = None
    max_complexity: float = math.inf
    extra_cost: Callable[[Expression], float] | None = None
    offset: float = 0.0

    def score(self, e: Expression, sums: RowSums | None = None) -> Hypothesis | None:
        """The scored hypothesis with the constants as they are; None if invalid on some row or ruled out.

        ``sums`` are those of ``e`` where they are known already; with many rows they are taken block by block.
        """
        complexity = e.complexity(self.weights)
        amount, hard = self.violation(e) if self.violation is not None else (0.0, False)
        if complexity > self.max_complexity or (hard and amount > 0):
            return None
        gaussian = self.likelihood if isinstance(self.likelihood, Gaussian) else None
        many = sums is not None or len(self.likelihood.y) > BLOCK_ROWS
        found = self._by_blocks(e, sums) if many or gaussian is None else self._whole(e, gaussian)
        if found is None:
            return None
        rss, plain, information = found
        misfit = self.likelihood.misfit(rss)
        cost = code_length(e, information, self.symbols, self.weights)
        cost += self.extra_cost(e) if self.extra_cost is not None else 0.0
        total = misfit + cost + (self.lam * amount if amount else 0.0)
        if not math.isfinite(total):
            return None
        r2 = 1.0 - plain / self._variation if self._variation > 0 else math.nan
        return Hypothesis(e, complexity, misfit, cost, amount, total, r2, math.sqrt(plain / len(self.likelihood.y)))

    def _whole(self, e: Expression, likelihood: Gaussian) -> tuple[float, float, NDArray[np.float64]] | None:
        """Weighted and plain residual sum of squares and Fisher information, all rows at once."""
        program = Program.of(e, self.columns)
        if e.free:
            with np.errstate(all="ignore"):
                predicted, gradient = program.value_and_gradient(self.X, program.values)
        else:
            predicted, gradient = program.value(self.X), np.zeros((len(e.constants), 0))
        if not np.all(np.isfinite(predicted)):
            return None
        residual = likelihood.y - predicted
        rss = likelihood.rss(residual)
        if not math.isfinite(rss):
            return None
        return rss, float(residual @ residual), self._information(e, gradient, rss, likelihood)

    def _by_blocks(self, e: Expression, sums: RowSums | None) -> tuple[float, float, NDArray[np.float64]] | None:
        """The same from sums over blocks of rows."""
        if sums is None:
            with np.errstate(all="ignore"):
                sums = RowSums.of(e, self.X, self.columns, self.likelihood, gradient=bool(e.free))
        if sums is None:
            return None
        information = np.zeros(len(e.constants))
        for i in e.free:
            name = e.constants[i].name
            same = [i] if name is None else [j for j in e.free if e.constants[j].name == name]
            information[i] = float(sums.normal[np.ix_(same, same)].sum())
        information /= self.likelihood.noise_variance(sums.rss)
        return sums.rss, sums.plain, np.where(np.isfinite(information), information, 0.0)

    def approximate(self, rss: NDArray[np.float64], size: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
        """Scores (n,) for ordering candidates before anything is built: misfit from ``rss`` on ``rows`` rows, size in nodes."""
        w = self.likelihood.total_weight
        total = rss * (len(self.likelihood.y) / rows)
        if self.likelihood.is_noise_known:
            misfit = 0.5 * total + self.offset
        else:
            misfit = 0.5 * w * np.log(np.maximum(total / w, self.likelihood.floor**2))
        return misfit + size * math.log(self.symbols)

    def _information(
        self, e: Expression, gradient: NDArray[np.float64], rss: float, likelihood: Gaussian
    ) -> NDArray[np.float64]:
        """Fisher information of each constant slot; leaves of one name add their gradients first."""
        information = np.zeros(len(e.constants))
        root = likelihood.root_weights
        for i in e.free:
            name = e.constants[i].name
            line = gradient[i] if name is None else sum(gradient[j] for j in e.free if e.constants[j].name == name)
            scaled = line if root is None else line * root
            information[i] = float(np.sum(scaled**2))
        information /= likelihood.noise_variance(rss)
        return np.where(np.isfinite(information), information, 0.0)

    @cached_property
    def _variation(self) -> float:
        """Sum of squares of the target about its mean."""
        y = self.likelihood.y
        return float(np.sum((y - y.mean()) ** 2))
