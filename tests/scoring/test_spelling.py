"""Spellings of one law count once, in the likeliest of them; laws that only look alike stay apart."""

from dataclasses import replace

import numpy as np
import pytest

from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.fitting.constants.fit import fit
from hypo.likelihood.base import Gaussian
from hypo.posterior.laplace import parameter_slots
from hypo.posterior.posterior import make_posterior
from hypo.scoring.score import Hypothesis
from hypo.scoring.spelling import Spelling, around

X = np.linspace(0.5, 6.0, 12)[None]


def free(text: str) -> Expression:
    e = parse(text, variables=["x"])
    return replace(e, constants=tuple(replace(c, free=c.value != int(c.value)) for c in e.constants))


def spelling(text: str) -> Spelling:
    e = free(text)
    slot = parameter_slots(e)
    theta = [c.value for c in e.constants if c.free]
    return Spelling(Program.of(e, ["x"]), tuple(int(p) for p in slot), tuple(theta), around(X), X.shape[1])


@pytest.mark.parametrize(("one", "two", "same"), [
    ("5.1*exp(-0.301*x)", "5.1003/exp(0.30102*x)", True),
    ("5.1*exp(-0.301*x)", "5.1*sqrt(exp(-0.6021*x))", True),
    ("x + abs(1 - x) - 0.519", "2*(max(1, x) - 0.7592)", True),
    ("1133.1*(x + 2.895)", "-1134.2*(-2.8941 - x)", True),
    ("1/(0.43/x + 0.079)", "12.66*x/(5.44 + x)", True),
    ("5.1*exp(-0.301*x)", "5.1*exp(-0.301*x) + 0.0001", False),
    ("0.011*x", "sin(0.011*x)", False),
    ("5.1*exp(-0.01*x)", "5.1/(1 + 0.01001*x)", False),
    ("abs(x - 0.49)", "x - 0.4901", False),
])  # fmt: skip
def test_spellings_are_told_from_laws_that_look_alike(one: str, two: str, same: bool) -> None:
    assert spelling(one).says(spelling(two)) == same
    assert spelling(two).says(spelling(one)) == same


def test_another_spelling_is_no_rival_and_no_evidence() -> None:
    rng = np.random.default_rng(1)
    y = 5 * np.exp(-0.3 * X[0]) + 0.05 * rng.normal(size=12)
    likelihood = Gaussian(y)

    def hypothesis(text: str, cost: float, away: float) -> Hypothesis:
        e = fit(free(text), X, ("x",), likelihood)
        e = replace(e, constants=tuple(replace(c, value=c.value * away) if c.free else c for c in e.constants))
        rss = likelihood.rss(likelihood.y - likelihood.predict(e, X, ("x",)))
        misfit, r2, rmse = likelihood.misfit(rss), 0.9, 0.05
        return Hypothesis(
            e, complexity=8.0, misfit=misfit, complexity_cost=cost, violation=0.0, score=misfit + cost, r2=r2, rmse=rmse
        )

    texts = ("5.1*exp(-0.31*x)", "5.1/exp(0.31*x)", "5.1*sqrt(exp(-0.61*x))", "5.1 - 0.91*x")
    given = [hypothesis(t, 20.0 + k, 1.0 + 1e-6 * k) for k, t in enumerate(texts)]
    p, alone = (make_posterior(h, X, ("x",), likelihood) for h in (given, [given[0], given[3]]))
    assert p is not None and alone is not None
    assert [str(s.expression) for s in p.structures] == [str(s.expression) for s in alone.structures]
    assert [s.weight for s in p.structures] == pytest.approx([s.weight for s in alone.structures])
