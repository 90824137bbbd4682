"""Run as a script: compiles as after an installation, then fits, and prints the variants of kernels that only the fits used.

What they use is loaded from numba's cache where it is there, so no compilation need be seen; a variant that warming does not
know has not been loaded either.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

RNG = np.random.default_rng(0)
# Modules of kernels for the processor that only searches on GPUs call.
BESIDE = ("rescore", "cuda_batch", "cuda_evaluate")


def variants() -> set[tuple[str, str]]:
    """The kernels and signatures loaded or compiled in this process so far."""
    from numba.core.dispatcher import Dispatcher

    import hypo.kernels

    out = set()
    for module in iter_modules(hypo.kernels.__path__):
        try:
            names = vars(import_module(f"hypo.kernels.{module.name}"))
        except ModuleNotFoundError as missing:
            # Kernels of GPUs need an extra, and are none of the processor's.
            if missing.name not in ("torch", "triton"):
                raise
            continue
        for name, kernel in names.items():
            if isinstance(kernel, Dispatcher):
                out |= {(f"{module.name}.{name}", str(signature)) for signature in kernel.signatures}
    return out


def as_warmed() -> None:
    """What is compiled after an installation."""
    from hypo.search.compile import compile_all

    compile_all()


def never_compiled() -> list[str]:
    """Kernels of which nothing is kept."""
    from hypo.kernels import compiled, entries  # noqa: F401  (all kernels are known once they are imported)

    place = compiled.place()
    assert place is not None
    counted = {name for name in compiled.NAMES if name.partition(".")[0] not in BESIDE}
    return sorted(counted - {path.name.rpartition("-")[0] for path in place.glob("*.nbi")})


def _fit(X, y, **arguments):
    import hypo

    return hypo.fit(X, y, progress=False, **{"time_limit": 0.5, "workers": 1, **arguments})


def _table(n: int = 120, columns: int = 3):
    X = RNG.uniform(1.0, 3.0, (n, columns))
    return X, X[:, 0] * np.exp(-X[:, 1]) + 0.05 * RNG.standard_normal(n)


def _plain() -> None:
    _fit(*_table())


def _exact() -> None:
    X, _ = _table()
    _fit(X, np.sqrt(X[:, 0]) / X[:, 1])


def _weights() -> None:
    X, y = _table()
    _fit(X, y, weights=RNG.uniform(0.5, 2.0, len(y)))


def _sigma() -> None:
    X, y = _table()
    _fit(X, y, sigma=np.full(len(y), 0.05))


def _units() -> None:
    X, _ = _table()
    k = {
        "units": {"x0": "m", "x1": "s", "x2": "kg", "y": "m/s^2"},
        "constants": {"g": {"value": 9.81, "unit": "m/s^2"}},
    }
    _fit(X, X[:, 0] / X[:, 1] ** 2 * np.tanh(X[:, 2]) + 0.01 * RNG.standard_normal(len(X)), knowledge=k)


def _rules() -> None:
    X, y = _table()
    k = {"rule": [{"kind": "monotone", "variable": "x0", "direction": "increasing"}]}
    _fit(X, y, knowledge=k)


def _template() -> None:
    X, y = _table()
    _fit(X, y, knowledge={"template": {"form": "g(x0)*h(x1, x2)"}})


def _guesses() -> None:
    X, y = _table()
    _fit(X, y, guesses=["a*x0*exp(b*x1)", "x0*x2"])


def _columns() -> None:
    _fit(*_table(300, 100))


def _rows() -> None:
    _fit(*_table(100_000))


def _few() -> None:
    _fit(*_table(12, 2))


def _threads() -> None:
    _fit(*_table(), workers=2)


def _operators() -> None:
    _fit(*_table(), operators="+,-,*,/,min,max,abs,cbrt")


def _numbers() -> None:
    _fit(*_table(), knowledge={"grammar": {"nesting": {"exp": ["exp"]}, "max_complexity": 12}})


def _scoring() -> None:
    import hypo

    X, y = _table()
    hypo.score("x0*exp(-x1)", X, y)


FITS = {
    f.__name__[1:]: f
    for f in (
        _plain,
        _exact,
        _weights,
        _sigma,
        _units,
        _rules,
        _template,
        _guesses,
        _columns,
        _rows,
        _few,
        _threads,
        _operators,
        _numbers,
        _scoring,
    )
}

if __name__ == "__main__":
    as_warmed()
    known = variants()
    for name in sys.argv[1:] or FITS:
        FITS[name]()
    print(json.dumps([len(known), sorted(variants() - known), never_compiled()]))
