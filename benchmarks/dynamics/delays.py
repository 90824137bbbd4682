"""Are laws that look back found, with their lags?

    python benchmarks/dynamics/delays.py [NAME …] [--noise 0 0.01 0.05] [--time-limit 60]

Textbooks' laws with one delay, from one trajectory each: delayed logistic growth (G. E. Hutchinson 1948), blood cells that are
made by delayed feedback (M. Mackey & L. Glass 1977), delayed linear feedback, and light in a ring (K. Ikeda 1979).
Lags are sought in a range of a factor of ten or so about the true one. For each: the true and the found lag with its error, and
whether the likeliest law has the form of the true one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import hypo
from hypo.dynamics.discovery.sums import as_sum

# Steps of the simulation in a lag.
STEPS = 400


@dataclass(frozen=True)
class Case:
    """x' = rate(x, x(t - lag)), x having been ``start`` until 0; n samples up to ``until``, lags sought in ``range``.

    ``forms``: of right-hand sides, as sums without their numbers, that are the law.
    """

    rate: Callable[[float, float], float]
    lag: float
    start: float
    until: float
    n: int
    range: tuple[float, float]
    forms: tuple[str, ...]


CASES = {
    "hutchinson": Case(lambda x, d: 1.2 * x * (1 - d / 2), 1.5, 0.5, 30, 150, (0.5, 5), ("x + x*x_before",)),
    "linear": Case(lambda x, d: -1.0 * d, 1.2, 1.0, 20, 150, (0.3, 4), ("x_before",)),
    "ikeda": Case(lambda x, d: -x + 3 * np.sin(d), 2.0, 0.5, 40, 250, (0.5, 6), ("sin(x_before) + x",)),
    "mackey-glass": Case(
        lambda x, d: 0.2 * d / (1 + d**10) - 0.1 * x,
        17.0, 1.2, 400, 400, (5, 40),
        ("(# + x_before^#)^-1*x_before + x", "(# + x_before^10)^-1*x_before + x"),
    ),
}  # fmt: skip


def simulate(case: Case, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Moments and samples: the classical Runge–Kutta method, former values at half steps by cubic interpolation."""
    f, h, n = case.rate, case.lag / STEPS, int(case.until / case.lag * STEPS) + 2
    x = np.full(n + STEPS, float(case.start))
    for i in range(STEPS, n + STEPS - 1):
        j = i - STEPS
        a, b = x[j], x[j + 1]
        middle = (-x[j - 1] + 9 * a + 9 * b - x[j + 2]) / 16 if j > 0 else (a + b) / 2
        k1 = f(x[i], a)
        k2 = f(x[i] + h / 2 * k1, middle)
        k3 = f(x[i] + h / 2 * k2, middle)
        k4 = f(x[i] + h * k3, b)
        x[i + 1] = x[i] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    t = np.linspace(0, case.until, case.n)
    y = np.interp(t, np.arange(n) * h, x[STEPS:])
    z = np.random.default_rng(seed).standard_normal(case.n)
    return t, y * (1 + noise * z) if np.all(y > 0) else y + noise * np.std(y) * z


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(CASES), metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--noise", nargs="*", type=float, default=[0.0, 0.01, 0.05])
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"{'law':<14}{'noise':>6}{'lag':>7}{'found':>10}{'±':>9}{'form':>6}{'weight':>8}{'s':>7}  likeliest law")
    for name in args.names:
        case = CASES[name]
        for noise in args.noise:
            t, y = simulate(case, noise, args.seed)
            began = time.process_time()
            model = hypo.fit_dynamics(
                {"t": t, "x": y}, "t", "x", delays={"x": case.range}, time_limit=args.time_limit, seed=args.seed
            )
            law = model.system.equations[0]
            lag, error = model.constants.get("tau", (np.nan, np.nan))
            form = "yes" if as_sum(law).form in case.forms else "no"
            print(
                f"{name:<14}{noise:>6g}{case.lag:>7g}{lag:>10.5g}{error:>9.2g}{form:>6}{model.systems[0].weight:>8.2f}"
                f"{time.process_time() - began:>7.1f}  {law.pretty()}",
                flush=True,
            )


if __name__ == "__main__":
    main()
