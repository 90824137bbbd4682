"""Laplace's evidence against references, on 50 small problems; and order by code length against order by evidence.

    python benchmarks/calibration/evidence.py

A problem is a form of one to three constants, rows and noise of unknown size. The evidence with the noise integrated out is
Z = ∫ ½ Γ(n/2) (π R(θ))^(-n/2) p(θ) dθ, R the residual sum of squares and p the Cauchy prior of
:mod:`hypo.posterior.laplace` with
its scales as they are at the fitted constants. Two references:

- *mode*: adaptive cubature (scipy) over ``BOX`` standard errors around the fitted constants, in the axes of the covariance,
  times the number of equivalent peaks (:mod:`hypo.posterior.modes`);
- *all*: importance sampling over all of the prior, from Student's t distributions around all minima found from many starts
  (4 degrees of freedom, twice as wide) and the prior itself, with its standard error.

Laplace - mode is the error of the shape, Laplace - all has what other minima and far tails hold too.

Rivals: on the data of each form all forms are ranked by score (misfit + code length) and by posterior (evidence × prior of the
structure), with Laplace's evidence and with the reference.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cubature
from scipy.special import gammaln, logsumexp
from scipy.stats import kendalltau

from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.fitting.constants.fit import DescentOptions, fit
from hypo.likelihood.base import Gaussian
from hypo.posterior.laplace import Laplace, laplace
from hypo.posterior.modes import equivalent_modes
from hypo.posterior.posterior import weigh
from hypo.scoring.score import Hypothesis, Scorer

HERE = Path(__file__).resolve().parent
# Forms with the constants of the law that the rows are drawn from.
FORMS: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("a*x", (1.7,)),
    ("x + a", (2.0,)),
    ("exp(a*x)", (0.5,)),
    ("x**a", (1.4,)),
    ("sin(a*x)", (1.3,)),
    ("a*exp(-x)", (2.5,)),
    ("1/(x + a)", (0.8,)),
    ("log(x + a)", (1.5,)),
    ("tanh(a*x)", (0.7,)),
    ("x/(a + x)", (1.2,)),
    ("a*x + b", (1.3, -0.8)),
    ("a*exp(b*x)", (2.0, -0.7)),
    ("a*x**b", (1.2, 1.6)),
    ("a*sin(b*x)", (1.5, 1.2)),
    ("x/(a + b*x)", (0.6, 0.9)),
    ("a/(x + b)", (2.0, 0.5)),
    ("a*log(x + b)", (1.5, 1.0)),
    ("a*tanh(b*x)", (1.8, 0.6)),
    ("exp(a*x) + b", (0.6, 1.0)),
    ("a*x + b*x**2", (1.0, 0.4)),
    ("a + b*x + c*x**2", (1.0, -0.6, 0.5)),
    ("a*exp(b*x) + c", (2.0, -0.9, 0.7)),
    ("a*x**b + c", (0.8, 1.7, 0.5)),
    ("a*x/(b + x) + c", (2.0, 0.8, 0.6)),
    ("a + b*sin(c*x)", (1.0, 0.8, 1.4)),
)
# Rows of a problem.
ROWS = (10, 20, 50, 100)
# Noise of the target, as a share of its RMS.
NOISE = (0.02, 0.1, 0.3)
# Standard errors on each side that cubature covers.
BOX = 12.0
# Draws of importance sampling.
DRAWS = 200_000
# The share of them that comes from the prior.
FROM_PRIOR = 0.2
# Starts of a fit.
STARTS = 60
# Relative error that cubature stops at.
CLOSE = 1e-3
# Subdivisions of cubature, at most.
SUBDIVISIONS = 4000
# Rows of the data that rivals are ranked on.
RIVAL_ROWS = 30
# Noise of those data.
RIVAL_NOISE = 0.1
# Rivals beyond so many nats of the best are not compared.
NEAR = 12.0
COLUMNS = ("x",)


@dataclass(frozen=True)
class Problem:
    """A form with its rows, fitted: ``shape`` is Laplace's approximation."""

    form: Expression
    X: NDArray[np.float64]
    likelihood: Gaussian
    fitted: Expression
    shape: Laplace


def rows(number: int, n: int, noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """X (1, n) and y of form ``number``."""
    rng = np.random.default_rng([number, n, 7])
    text, values = FORMS[number]
    law = parse(text, variables=COLUMNS).with_values(_by_name(text, values))
    X = rng.uniform(0.3, 3.0, (1, n))
    y = Program.of(law, COLUMNS).value(X)
    return X, y + noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(n)


def _by_name(text: str, values: Sequence[float]) -> list[float]:
    e = parse(text, variables=COLUMNS)
    named = dict(zip("abc", values, strict=False))
    return [c.value if c.name is None else named[c.name] for c in e.constants]


def posed(number: int, X: NDArray[np.float64], y: NDArray[np.float64]) -> Problem | None:
    """Form ``number`` fitted to some rows; None where it is undefined on them."""
    form = parse(FORMS[number][0], variables=COLUMNS)
    form = form.with_values([c.value if c.name is None else 1.0 for c in form.constants])
    likelihood = Gaussian(y)
    rng = np.random.default_rng(0)
    fitted = fit(form, X, COLUMNS, likelihood, starts=STARTS, rng=rng, options=DescentOptions(steps=500))
    shape = laplace(fitted, X, COLUMNS, likelihood)
    return (
        None if shape is None or not math.isfinite(shape.log_evidence) else Problem(form, X, likelihood, fitted, shape)
    )


def log_joint(p: Problem, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """log p(D|θ)p(θ) at ``theta`` (n, k), the noise integrated out; -inf where the formula is undefined."""
    e, shape = p.fitted, p.shape
    values = np.tile(e.values, (len(theta), 1))
    values[:, shape.slot >= 0] = theta[:, shape.slot[shape.slot >= 0]]
    with np.errstate(all="ignore"):
        f = Program.of(e, COLUMNS).batch(p.X, values)
        rss = np.sum((p.likelihood.y - f) ** 2, axis=1)
        m = len(p.likelihood.y)
        fit_ = gammaln(0.5 * m) - math.log(2.0) - 0.5 * m * np.log(math.pi * rss)
        r = theta / shape.prior_scale
        prior = -np.sum(np.log(math.pi * shape.prior_scale) + np.log1p(r**2), axis=1)
    return np.where(np.isfinite(fit_), fit_, -np.inf) + prior


def mode(p: Problem) -> tuple[float, float]:
    """Log evidence of the neighbourhood of the fitted constants by adaptive cubature, and the error that it estimates."""
    root = np.linalg.cholesky(p.shape.covariance)
    top = float(log_joint(p, p.shape.theta[None])[0])
    k = len(p.shape.theta)

    def density(u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(log_joint(p, p.shape.theta + u @ root.T) - top)

    # The peak has a place of its own, or the first look may miss it.
    points = [np.full(k, v) for v in (-3.0, 0.0, 3.0)]
    # A rule whose points grow with 2^k; the default's are 21^k.
    rule = "gk21" if k == 1 else "genz-malik"
    low, high = np.full(k, -BOX), np.full(k, BOX)
    found = cubature(density, low, high, rule=rule, rtol=CLOSE, atol=0.0, max_subdivisions=SUBDIVISIONS, points=points)
    log_z = top + math.log(float(found.estimate)) + float(np.sum(np.log(np.diag(root))))
    return log_z, float(found.error / found.estimate)


def everywhere(p: Problem, draws: int = DRAWS) -> tuple[float, float]:
    """Log evidence by importance sampling, and its standard error."""
    rng = np.random.default_rng(1)
    k = len(p.shape.theta)
    modes = list(_modes(p))
    prior = round(FROM_PRIOR * draws)
    each = (draws - prior) // len(modes)
    theta = [p.shape.prior_scale * rng.standard_cauchy((prior, k))]
    for centre, root in modes:
        chi = np.sqrt(rng.chisquare(4, (each, 1)) / 4)
        theta.append(centre + (rng.standard_normal((each, k)) @ root.T) / chi)
    at = np.concatenate(theta)
    r = at / p.shape.prior_scale
    parts = [math.log(prior / len(at)) - np.sum(np.log(math.pi * p.shape.prior_scale) + np.log1p(r**2), axis=1)]
    for centre, root in modes:
        u = np.linalg.solve(root, (at - centre).T).T
        constant = (
            gammaln(0.5 * (4 + k)) - gammaln(2.0) - 0.5 * k * math.log(4 * math.pi) - np.sum(np.log(np.diag(root)))
        )
        parts.append(math.log(each / len(at)) + constant - 0.5 * (4 + k) * np.log1p(np.sum(u**2, axis=1) / 4))
    weight = np.concatenate([log_joint(p, block) for block in np.array_split(at, 20)]) - logsumexp(parts, axis=0)
    log_z = float(logsumexp(weight)) - math.log(len(at))
    return log_z, float(np.std(np.exp(weight - log_z)) / math.sqrt(len(at)))


def _modes(p: Problem) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Distinct minima that fits from many starts come to, each with twice the root of its covariance."""
    rng = np.random.default_rng(2)
    seen: list[NDArray[np.float64]] = []
    shapes = [p.shape]
    for _ in range(STARTS):
        values = p.fitted.values
        theta = p.shape.prior_scale * np.clip(rng.standard_cauchy(len(p.shape.theta)), -30, 30)
        values[p.shape.slot >= 0] = theta[p.shape.slot[p.shape.slot >= 0]]
        e = fit(p.fitted.with_values(values), p.X, COLUMNS, p.likelihood, options=DescentOptions(steps=200))
        shape = laplace(e, p.X, COLUMNS, p.likelihood)
        if shape is not None and shape.log_evidence > p.shape.log_evidence - 12.0:
            shapes.append(shape)
    for shape in shapes:
        near = any(np.all(np.abs(shape.theta - other) < 0.2 * shape.std) for other in seen)
        if not near and np.all(np.isfinite(shape.covariance)) and len(seen) < 8:
            seen.append(shape.theta)
            yield shape.theta, 2.0 * np.linalg.cholesky(shape.covariance + 1e-12 * np.diag(np.diag(shape.covariance)))


def compared(number: int, n: int, noise: float) -> dict[str, Any] | None:
    """Laplace and the references on one problem."""
    p = posed(number, *rows(number, n, noise))
    if p is None:
        return None
    log_z, error = everywhere(p)
    near, rest = mode(p)
    near += math.log(equivalent_modes(p.fitted, p.shape.theta, p.shape.slot, p.shape.covariance, p.X, COLUMNS))
    own = p.shape.log_evidence
    return {
        "form": FORMS[number][0], "constants": len(p.shape.theta), "n": n, "noise": noise, "laplace": own,
        "mode": near, "mode error": rest, "all": log_z, "standard error": error,
    }  # fmt: skip


def ranked(number: int) -> dict[str, Any]:
    """All forms on the data of one: nats by score, by Laplace and by the reference."""
    X, y = rows(number, RIVAL_ROWS, RIVAL_NOISE)
    scorer = Scorer(X, COLUMNS, Gaussian(y), symbols=12)
    found = []
    for k, (text, _) in enumerate(FORMS):
        p = posed(k, X, y)
        h: Hypothesis | None = None if p is None else scorer.score(p.fitted)
        s = None if h is None else weigh(h, X, COLUMNS, Gaussian(y))
        if p is not None and h is not None and s is not None:
            found.append((text, h.score, s.nats, s, p))
    least = min(nats for _, _, nats, _, _ in found)
    near = [f for f in found if f[2] <= least + NEAR]
    # The reference changes the evidence and leaves the prior of the structure.
    exact = [nats + p.shape.log_evidence - everywhere(p, DRAWS // 4)[0] for _, _, nats, _, p in near]
    names = [f[0] for f in near]
    by = {"score": [f[1] for f in near], "laplace": [f[2] for f in near], "reference": exact}
    return {"data of": FORMS[number][0], "rivals": names, **by}


def report(problems: Sequence[dict[str, Any]], rivals: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| form | n | noise | Laplace | mode | all | Laplace - mode | Laplace - all |"
    yield "|---|---|---|---|---|---|---|---|"
    for r in problems:
        yield (
            f"| {r['form']} | {r['n']} | {r['noise']:g} | {r['laplace']:.3f} | {r['mode']:.3f} ± {r['mode error']:.3f} "
            f"| {r['all']:.3f} ± {r['standard error']:.3f} | {r['laplace'] - r['mode']:+.3f} | {r['laplace'] - r['all']:+.3f} |"
        )
    yield ""
    yield "| constants | problems | median error | largest | rms, this mode | rms, all |"
    yield "|---|---|---|---|---|---|"
    for k in (1, 2, 3):
        own = [r for r in problems if r["constants"] == k]
        e = np.array([r["laplace"] - r["all"] for r in own])
        m = np.array([r["laplace"] - r["mode"] for r in own])
        rms = f"{np.sqrt(np.mean(m**2)):.3f} | {np.sqrt(np.mean(e**2)):.3f}"
        yield f"| {k} | {len(own)} | {np.median(np.abs(e)):.3f} | {np.max(np.abs(e)):.3f} | {rms} |"
    yield ""
    pairs = [("score", "laplace"), ("score", "reference"), ("laplace", "reference")]
    yield "| order by | and by | same best | mean Kendall τ |"
    yield "|---|---|---|---|"
    several = [r for r in rivals if len(r["rivals"]) > 1]
    for one, two in pairs:
        same = sum(np.argmin(r[one]) == np.argmin(r[two]) for r in several)
        tau = float(np.mean([kendalltau(r[one], r[two]).statistic for r in several]))
        yield f"| {one} | {two} | {same} of {len(several)} | {tau:.3f} |"
    yield ""
    yield "Where the best differs:"
    yield ""
    yield "| data of | best by score | best by evidence | score behind by | evidence behind by |"
    yield "|---|---|---|---|---|"
    for r in several:
        i, j = int(np.argmin(r["score"])), int(np.argmin(r["reference"]))
        if i != j:
            behind = f"{r['score'][j] - r['score'][i]:.2f} | {r['reference'][i] - r['reference'][j]:.2f}"
            yield f"| {r['data of']} | {r['rivals'][i]} | {r['rivals'][j]} | {behind} |"


def main() -> None:
    """Run, and write results/evidence.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--problems", type=int, default=50)
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    problems: list[dict[str, Any]] = []
    rivals: list[dict[str, Any]] = []

    def keep(name: str) -> None:
        (options.results / "evidence.json").write_text(json.dumps({"problems": problems, "rivals": rivals}, indent=1))
        print(f"{time.monotonic() - begin:6.0f} s  {name}", flush=True)

    for k in range(options.problems):
        number = k % len(FORMS)
        found = compared(number, ROWS[(k + k // len(FORMS)) % len(ROWS)], NOISE[(k + k // len(FORMS)) % len(NOISE)])
        if found is not None:
            problems.append(found)
        keep(FORMS[number][0])
    for k in range(min(len(FORMS), options.problems)):
        rivals.append(ranked(k))
        keep(f"rivals on the data of {FORMS[k][0]}")
    text = "\n".join(report(problems, rivals))
    (options.results / "evidence.md").write_text(text + "\n")
    print(text)
    print(f"\n{len(problems)} problems in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
