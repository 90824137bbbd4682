"""Other engines on the same recordings: pysindy, and engines for tables (Operon, gplearn) on smoothed rates.

None of them is a dependency of hypo: ``pip install pysindy pyoperon gplearn`` into an environment that has hypo, too. They
are asked for rates of measured states only; a suite of positions alone is refused.

*pysindy* is fitted 32 times: four libraries × four thresholds × two ways to differentiate; what it gives is the fit whose
simulation from the first sample is nearest to the data by the Bayesian information criterion. The results say, too, if any of
the 32 had the exact form (``any_exact``), which no user could know. *Operon* and *gplearn* get the rates of hypo's smoother at
rows one correlation length apart, and an equal share of the time for each equation.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import forms
import numpy as np
import peers
from cases import Case, Recording, follow
from numpy.typing import NDArray

import hypo
from hypo.expression.expr import Expression

if TYPE_CHECKING:
    from engines import Answer

Values = NDArray[np.float64]

THRESHOLDS = (0.01, 0.05, 0.2, 0.5)
# Samples of one window of Savitzky and Golay.
WINDOW = 15
# Terms of one library at most: degree 5 of many states is no library any more.
MOST_TERMS = 400


def _require_states(case: Case, engine: str) -> None:
    if case.order != 1:
        raise ValueError(f"{engine} takes systems whose states are all measured")


def sindy(recordings: Sequence[Recording], case: Case, seconds: float, seed: int) -> Answer:
    """pysindy's best of 32 fits by simulation and number of terms."""
    import pysindy
    from engines import Answer

    _require_states(case, "pysindy")
    names, best = list(case.states), (np.inf, ["0*" + case.states[0]] * len(case.states))
    tried: list[tuple[str, ...]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library in _libraries(pysindy, len(names)):
            for method, data in _differentiations(pysindy, recordings):
                for threshold in THRESHOLDS:
                    model = pysindy.SINDy(
                        optimizer=pysindy.STLSQ(threshold=threshold, alpha=1e-10, max_iter=50),
                        feature_library=library,
                        differentiation_method=method,
                    )
                    try:
                        model.fit([r.values for r in data], t=[r.time for r in data], feature_names=names)
                    except (ValueError, np.linalg.LinAlgError):
                        continue
                    rates = _rates(model, names)
                    tried.append(tuple(rates))
                    score = _criterion(rates, recordings, names, int(np.count_nonzero(model.coefficients())))
                    best = min(best, (score, rates), key=lambda each: each[0])
    return Answer(tuple(best[1]), {"fits": len(tried), "any_exact": _is_any_exact(set(tried), case)})


def _is_any_exact(tried: set[tuple[str, ...]], case: Case) -> bool:
    states = np.vstack(case.truth)
    return any(
        all(
            forms.right_equations([hypo.parse(t, variables=case.states) for t in rates], case.laws, case.states, states)
        )
        for rates in tried
    )


def _libraries(pysindy: Any, n_state: int) -> list[Any]:
    from math import comb

    degrees = [d for d in (2, 3, 5) if comb(n_state + d, d) <= MOST_TERMS]
    polynomials = [pysindy.PolynomialLibrary(degree=d) for d in degrees]
    waves = pysindy.PolynomialLibrary(degree=2) + pysindy.FourierLibrary(n_frequencies=1)
    return [*polynomials, waves]


def _differentiations(pysindy: Any, recordings: Sequence[Recording]) -> list[tuple[Any, Sequence[Recording]]]:
    """Plain differences of what was recorded; differences after smoothing (Savitzky and Golay), on a regular clock."""
    regular = []
    for r in recordings:
        time = np.linspace(r.time[0], r.time[-1], len(r.time))
        columns = [np.interp(time, r.time, x) for x in r.values.T]
        regular.append(Recording(time, np.column_stack(columns)))
    return [
        (pysindy.FiniteDifference(order=4), recordings),
        (pysindy.SmoothedFiniteDifference(smoother_kws={"window_length": WINDOW, "polyorder": 3}), regular),
    ]


def _rates(model: Any, names: Sequence[str]) -> list[str]:
    labels = [label.replace(" ", "*").replace("^", "**") for label in model.get_feature_names()]
    out = []
    for row in model.coefficients():
        parts = [f"({float(row[i])!r})*{labels[i]}" for i in np.flatnonzero(row)]
        out.append(" + ".join(parts) or f"0*{names[0]}")
    return out


def _criterion(rates: Sequence[str], recordings: Sequence[Recording], names: Sequence[str], terms: int) -> float:
    """n log RSS + terms·log n of the simulation from the first sample of each recording, states scaled to unit spread."""
    laws = [hypo.parse(text, variables=names) for text in rates]
    total, n = 0.0, 0
    for r in recordings:
        guess = follow(laws, names, r.values[0], r.time)
        spread = np.maximum(np.std(r.values, axis=0), 1e-300)
        total += float(np.sum(((guess - r.values) / spread) ** 2))
        n += r.values.size
    return n * np.log(total / n) + terms * np.log(n) if np.isfinite(total) and total > 0 else np.inf


def on_smoothed_rates(engine: str, recordings: Sequence[Recording], case: Case, seconds: float, seed: int) -> Answer:
    """An engine for tables of :mod:`peers`, asked for each rate by itself."""
    from engines import Answer, trajectories

    from hypo.dynamics.smoothing.path import effective_rows
    from hypo.dynamics.smoothing.smoothed import smooth_all

    _require_states(case, engine)
    data = smooth_all(trajectories(recordings, case.states))
    rates = []
    for k in range(len(case.states)):
        X, y = [], []
        for run in range(len(recordings)):
            paths = data.paths[run]
            rows = effective_rows(paths[k])
            X.append(np.column_stack([p.value[rows] for p in paths]))
            y.append(paths[k].rate[rows])
        found: Expression = peers.ENGINES[engine](
            np.vstack(X), np.concatenate(y), case.states, seconds / len(case.states), seed
        )
        rates.append(str(found))
    return Answer(tuple(rates))


def operon(recordings: Sequence[Recording], case: Case, seconds: float, seed: int) -> Answer:
    """Operon on smoothed rates."""
    return on_smoothed_rates("operon", recordings, case, seconds, seed)


def gplearn(recordings: Sequence[Recording], case: Case, seconds: float, seed: int) -> Answer:
    """gplearn on smoothed rates."""
    return on_smoothed_rates("gplearn", recordings, case, seconds, seed)
