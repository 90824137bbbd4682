"""Other symbolic regression engines behind one shape: ``fit(X, y, names, time_limit, seed) -> hypo expression``.

Each adapter gets ``X`` (n_row, n_var), ``y`` (n_row,) and the columns' names. It returns the engine's own final choice,
translated through :func:`hypo.parse`, so that one judge serves all. The engines are not dependencies of hypo:
``pip install pyoperon gplearn pysindy psrn``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hypo
from hypo.expression.expr import Expression

THREADS = 2
# Seconds for the process of psrn to load and end in.
PSRN_START = 60.0


def operon(
    X: NDArray[np.float64], y: NDArray[np.float64], names: Sequence[str], time_limit: float, seed: int
) -> Expression:
    """Operon by pyoperon: genetic programming with Levenberg-Marquardt on all constants.

    Error and length are the two objectives. The final model is chosen from the front by the Bayesian information
    criterion: pyoperon's default, minimum description length, takes the noise for 1 unless it is told.
    """
    from pyoperon.sklearn import SymbolicRegressor

    engine = SymbolicRegressor(
        allowed_symbols="add,sub,mul,div,constant,variable,exp,log,sin,cos,sqrt,square,pow,tanh,asin,acos",
        objectives=["r2", "length"],
        optimizer_iterations=10,
        max_length=50,
        population_size=1000,
        generations=1_000_000,
        max_evaluations=2_000_000_000,
        max_time=max(1, int(time_limit)),
        n_threads=THREADS,
        model_selection_criterion="bayesian_information_criterion",
        random_state=seed,
    )
    engine.fit(X, y)
    # Operon's constants are single precision, printed with a fixed number of decimals: 30 keep small ones.
    return hypo.parse(engine.get_model_string(engine.model_, 30, list(names)), variables=list(names))


def gplearn(
    X: NDArray[np.float64], y: NDArray[np.float64], names: Sequence[str], time_limit: float, seed: int
) -> Expression:
    """gplearn: plain genetic programming, continued generation by generation until the time is up.

    Programs are bred for their correlation with the target, and slope and intercept of the best one are fitted at the
    end: gplearn fits no constants, and bred for the error itself it spends its time on the scale.
    """
    import joblib
    from gplearn.functions import make_function
    from gplearn.genetic import SymbolicRegressor

    def bounded_exp(u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(np.clip(u, -100.0, 100.0))

    end = time.monotonic() + time_limit
    engine = SymbolicRegressor(
        population_size=1000,
        generations=1,
        tournament_size=20,
        init_depth=(2, 6),
        const_range=(-5.0, 5.0),
        stopping_criteria=1.0 - 1e-13,
        function_set=[
            "add",
            "sub",
            "mul",
            "div",
            "sqrt",
            "log",
            "sin",
            "cos",
            "neg",
            make_function(function=bounded_exp, name="exp", arity=1, wrap=False),
        ],
        parsimony_coefficient=0.0005,
        metric="pearson",
        p_crossover=0.7,
        p_subtree_mutation=0.1,
        p_hoist_mutation=0.05,
        p_point_mutation=0.1,
        n_jobs=THREADS,
        low_memory=True,
        warm_start=True,
        random_state=seed,
    )
    best = None
    with joblib.parallel_config(backend="threading"), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        while best is None or time.monotonic() < end:
            engine.fit(X, y)
            program = engine._program
            if best is None or program.raw_fitness_ > best.raw_fitness_:
                best = program
            if best.raw_fitness_ >= engine.stopping_criteria:
                break
            engine.set_params(generations=engine.generations + 1)
        value = best.execute(X)
        basis = np.column_stack([np.ones(len(y)), value])
        intercept, slope = np.linalg.lstsq(basis, y, rcond=None)[0]
    return Expression.constant(intercept) + slope * _from_gplearn(best.program, names)


# gplearn's own functions are protected; these are their meanings where no protection applies.
_GPLEARN = {
    "add": "({} + {})",
    "sub": "({} - {})",
    "mul": "({} * {})",
    "div": "({} / {})",
    "neg": "(-({}))",
    "sqrt": "sqrt(abs({}))",
    "log": "log(abs({}))",
    "sin": "sin({})",
    "cos": "cos({})",
    "exp": "exp({})",
}


def _from_gplearn(program: Sequence, names: Sequence[str]) -> Expression:
    """A program in prefix order: functions, column numbers and constants."""
    stack: list[str] = []
    for node in reversed(program):
        if hasattr(node, "arity"):
            args = [stack.pop() for _ in range(node.arity)]
            stack.append(_GPLEARN[node.name].format(*args))
        elif isinstance(node, int):
            stack.append(names[node])
        else:
            stack.append(f"({float(node)!r})")
    return hypo.parse(stack[0], variables=list(names))


def sindy(
    X: NDArray[np.float64], y: NDArray[np.float64], names: Sequence[str], time_limit: float, seed: int
) -> Expression:
    """pysindy: sequentially thresholded least squares on a library of terms, for rates of change.

    Libraries are polynomials of degree 3 and 5, each alone and with sines and cosines of x and 2x. Of all libraries and
    thresholds the fit with the lowest BIC is taken. It is deterministic and takes a second or two.
    """
    import pysindy

    scale = float(np.sqrt(np.mean(y**2))) or 1.0
    waves = pysindy.FourierLibrary(n_frequencies=2)
    best, least = Expression.constant(float(y.mean())), np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for degree in (3, 5):
            polynomials = pysindy.PolynomialLibrary(degree=degree)
            for library in (polynomials, polynomials + waves):
                terms = np.asarray(library.fit_transform(X))
                labels = library.get_feature_names(list(names))
                for threshold in np.logspace(-3, 0, 13):
                    optimizer = pysindy.STLSQ(threshold=threshold, alpha=1e-12, max_iter=50)
                    weights = optimizer.fit(terms, y[:, None] / scale).coef_[0]
                    used = np.flatnonzero(weights)
                    if not len(used):
                        continue
                    # Below 1e-12 of the target a smaller error is rounding, no better fit.
                    error = max(float(np.mean((terms @ weights - y / scale) ** 2)), 1e-24)
                    bic = len(y) * np.log(error) + len(used) * np.log(len(y))
                    if bic < least:
                        # A blank stands for a product: "x^2 y", "sin(2 x)".
                        parts = [f"({float(scale * weights[i])!r})*{labels[i].replace(' ', '*')}" for i in used]
                        best, least = hypo.parse(" + ".join(parts), variables=list(names)), bic
    return best


def psrn(
    X: NDArray[np.float64], y: NDArray[np.float64], names: Sequence[str], time_limit: float, seed: int
) -> Expression:
    """psrn: parallel symbolic enumeration on the GPU where there is one, else on the processor, which is slow.

    It runs in a process of its own (``psrn_child.py``), whose start counts as time but not towards the limit. Raises
    ImportError where it is not installed, RuntimeError where it finds nothing.
    """
    if find_spec("psrn") is None:
        raise ImportError("No module named 'psrn'")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        np.savez(rows, X=X, y=y)
        command = [
            sys.executable,
            str(Path(__file__).with_name("psrn_child.py")),
            str(rows),
            str(time_limit),
            str(seed),
        ]
        # The package may leave files where it runs.
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=time_limit + PSRN_START)
    last = (ended.stdout.strip().splitlines() or [""])[-1]
    if ended.returncode or not last.startswith("{"):
        raise RuntimeError((ended.stderr.strip().splitlines() or ["psrn ended without an answer"])[-1])
    found = json.loads(last)["found"]
    if found is None:
        raise RuntimeError("psrn found nothing")
    return hypo.parse(re.sub(r"\bx(\d+)\b", lambda k: f"({names[int(k[1])]})", found), variables=list(names))


ENGINES: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64], Sequence[str], float, int], Expression]] = {
    "operon": operon,
    "gplearn": gplearn,
    "sindy": sindy,
    "psrn": psrn,
}
