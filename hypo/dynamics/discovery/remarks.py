"""What a user should know of a discovery: which of its systems are rivals, and sentences beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

import hypo
from hypo.dynamics.calibration.edits import has_flat_divisor
from hypo.dynamics.calibration.forcing import Forcing
from hypo.dynamics.discovery.discovered import WeightedSystem
from hypo.dynamics.discovery.trials.alone import columns_along
from hypo.dynamics.discovery.trials.judge import Judged
from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.system import System
from hypo.failures import DEBUG, Failure

# Weight from which on a rival is named, and how many are.
RIVAL = 0.05
RIVALS = 3
# Nats behind a quotient whose divisor is constant within which another system has its place.
NEARLY = 10.0
# Share of their own size to which a combination of rates vanishes.
VANISHES = 1e-9
# A factor nearer to 0, or to 1, than this is that number.
NO_FACTOR = 1e-3


def leave_out_degenerate(ranked: Sequence[Judged], columns: Columns) -> list[Judged]:
    """Systems without quotients that the samples do not tell from what stands above their lines; the best of all where no other
    is nearly as good."""
    X = columns_along(columns)
    kept = [j for j in ranked if not has_flat_divisor(j.fitted, X)]
    return kept if kept and kept[0].score <= ranked[0].score + NEARLY else [*ranked[:1], *kept]


def make_remarks(
    systems: Sequence[WeightedSystem], columns: Columns, forcing: Forcing | None = None
) -> tuple[str, ...]:
    """Sentences on undersampled states, random forces, conserved sums, and what the data cannot tell apart."""
    system = systems[0].fitted.system
    return (
        *_undersampled(columns),
        *_forced(system, columns, forcing),
        *_conserved(system, columns),
        *_rivals(systems),
    )


def _forced(system: System, columns: Columns, forcing: Forcing | None) -> Iterator[str]:
    if forcing is None:
        return
    per = "" if system.is_discrete else f" per root of {columns.data.time}"
    for name, q, error in zip(system.states, forcing.level, forcing.error, strict=True):
        if q > 0:
            yield (
                f"{name} is pushed about by more than errors of measurement: by random forces of {q:.3g} ± {error:.2g}{per}, "
                "or by what the law lacks; rollouts have a band of them, and errors of constants do not count them"
            )


def describe_failures(failures: Sequence[Failure]) -> Iterator[str]:
    """Sentences on parts that were left out because of an unexpected error."""
    for f in failures:
        yield f"an unexpected error ended {f.part} ({f.error}, in {f.where}); all else went on without it"
    if failures:
        yield f"that is a bug in hypo {hypo.__version__}: please report it, with what {DEBUG}=1 shows"


def _undersampled(columns: Columns) -> Iterator[str]:
    if columns.options.discrete:
        return  # laws of the next value need no rate
    smoothed = columns.smoothed
    for k, name in enumerate(smoothed.data.states):
        if any(paths[k].is_undersampled for paths in smoothed.paths):
            yield f"{name} is undersampled: its rate between two rows is not known; measure more often"


def _rivals(systems: Sequence[WeightedSystem]) -> Iterator[str]:
    best = systems[0].fitted.system
    for s in systems[1 : 1 + RIVALS]:
        if s.weight < RIVAL:
            return
        system = s.fitted.system
        differ = [
            f"{name} has {theirs.pretty()} instead of {ours.pretty()}"
            for name, ours, theirs in zip(best.states, best.equations, system.equations, strict=True)
            if ours.pretty() != theirs.pretty()
        ]
        if differ:
            share = f"{100 * s.weight:.0f} %"
            yield f"the data hardly tell these laws from a system with {share} of the weight: {'; '.join(differ)}"


def conserved_sum(system: System, columns: Columns) -> np.ndarray | None:
    """Coefficients (n_state,) of a sum of states that does not change by the law, or changes by a known constant; None: there
    is none."""
    d = len(system.states)
    if d < 2 or system.is_discrete or d > system.n_measured:
        return None
    X = columns_along(columns)
    P = np.repeat(system.parameters[:, None], X.shape[1], axis=1)
    rates = system.rates(X, P)
    size = np.sqrt(np.mean(rates**2, axis=1))
    if not np.all(np.isfinite(rates)) or np.any(size == 0):
        return None
    _, s, vectors = np.linalg.svd((rates / size[:, None]).T, full_matrices=False)
    if s[-1] > VANISHES**0.5 * s[0]:
        return None
    out = vectors[-1] / size
    return np.asarray(out / out[np.argmax(np.abs(out))])


def _conserved(system: System, columns: Columns) -> Iterator[str]:
    found = conserved_sum(system, columns)
    if found is not None:
        yield f"the law conserves {write_sum(found.tolist(), system.states)}"


def write_sum(factors: Sequence[float], names: Sequence[str]) -> str:
    """``A + 0.9902*B - C``: a sum of states, those with next to no factor left out."""
    text = ""
    for c, name in zip(factors, names, strict=True):
        if abs(c) <= NO_FACTOR:
            continue
        size = "" if abs(abs(c) - 1.0) <= NO_FACTOR else f"{abs(c):.4g}*"
        sign = ("-" if c < 0 else "") if not text else " - " if c < 0 else " + "
        text += f"{sign}{size}{name}"
    return text
