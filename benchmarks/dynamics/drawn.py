"""Fresh systems to calibrate weights by: drawn from the textbooks that the prior was counted from, half of them changed.

An entry of ``hypo/dynamics/discovery/prior/textbook.toml`` gets constants, a start, a duration, a number of samples and a noise
at random. In every second system one term is left out or one is added that stands in another entry, so that laws occur that
stand nowhere. What runs away, stands still within its noise or moves faster than it is sampled is drawn again.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files

import numpy as np
from cases import Case, follow
from numpy.typing import NDArray

from hypo.dynamics.discovery.sums import Number, Sum, SumTerm, as_sum
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

Values = NDArray[np.float64]

STATES = ("x", "y", "z", "w")
NOISE = (0.01, 0.02, 0.05)
SAMPLES = (40, 60, 100, 150)
# Spread of the logarithms of constants around 1.
CONSTANTS = 0.7
# The same of starts.
STARTS = 0.8
# The same of durations around LONG.
DURATIONS = 0.5
LONG = 8.0
# Fields whose states may begin with either sign.
SIGNED = ("mechanics", "electricity", "neuroscience", "climate")
# A state moves by at least so many times its noise, and from sample to sample by at most this share of its range.
LEAST_MOTION = 5.0
FASTEST = 0.3
# Largest state.
LARGEST = 1e3
# Draws of numbers for one structure before another is drawn.
TRIES = 40


def entries() -> list[tuple[str, str, tuple[str, ...]]]:
    """Field, name and equations of every entry of the textbooks."""
    fields = tomllib.loads((files("hypo.dynamics.discovery") / "textbook.toml").read_text(encoding="utf-8"))
    return [(field, name, tuple(laws)) for field, laws_of in fields.items() for name, laws in laws_of.items()]


def draw_system(number: int) -> tuple[str, str, Case, float]:
    """Name, field, simulated system and noise of a number; equal numbers, equal systems."""
    rng = np.random.default_rng([1919, number])
    book = entries()
    while True:
        field, name, laws = book[int(rng.integers(len(book)))]
        letters = sorted({v for text in laws for v in parse(text).variables} - set(STATES))
        for _ in range(TRIES):
            values = {v: float(np.exp(CONSTANTS * rng.standard_normal())) for v in letters}
            sums = [_with_numbers(text, values) for text in laws]
            states = STATES[: len(laws)]
            if number % 2:
                sums = _changed(sums, states, book, rng)
            case = _simulated(f"{name} {number}", states, sums, field in SIGNED, rng)
            sigma = float(rng.choice(NOISE))
            if case is not None and _is_fit(case.truth[0], sigma):
                return name, field, case, sigma


def _with_numbers(text: str, values: dict[str, float]) -> Sum:
    e = parse(text)
    return as_sum(e.substitute({v: Expression.constant(values[v], free=True) for v in e.variables if v in values}))


def _changed(
    sums: list[Sum], states: tuple[str, ...], book: list[tuple[str, str, tuple[str, ...]]], rng: np.random.Generator
) -> list[Sum]:
    """The system with a term less or more in one equation."""
    out = list(sums)
    k = int(rng.integers(len(sums)))
    terms = list(out[k].terms)
    if len(terms) > 1 and rng.random() < 0.5:
        del terms[int(rng.integers(len(terms)))]
    else:
        fitting = [text for _, _, laws in book if len(laws) <= len(states) for text in laws]
        other = _lent(str(rng.choice(fitting)), rng)
        size = float(np.exp(CONSTANTS * rng.standard_normal())) * (1 if rng.random() < 0.5 else -1)
        terms.append(SumTerm(Number(size, True), other.factors))
    out[k] = as_sum(Sum(tuple(terms)).expression())
    return out


def _lent(text: str, rng: np.random.Generator) -> SumTerm:
    e = parse(text)
    values = {v: float(np.exp(CONSTANTS * rng.standard_normal())) for v in e.variables if v not in STATES}
    terms = _with_numbers(text, values).terms
    return terms[int(rng.integers(len(terms)))]


def _simulated(
    name: str, states: tuple[str, ...], sums: list[Sum], is_signed: bool, rng: np.random.Generator
) -> Case | None:
    starts = []
    for _ in range(2):
        start = np.exp(STARTS * rng.standard_normal(len(states)))
        starts.append(tuple(float(s) for s in (start * rng.choice([-1, 1], len(states)) if is_signed else start)))
    times = np.linspace(0.0, LONG * float(np.exp(DURATIONS * rng.standard_normal())), int(rng.choice(SAMPLES)))
    texts = tuple(str(s.expression()) for s in sums)
    if any(not text or not s.terms for text, s in zip(texts, sums, strict=True)):
        return None
    case = Case(name, states, texts, tuple(starts), times, len(states), n_learned=1)
    first = follow(case.laws, states, starts[0], times)
    return case if np.isfinite(first).all() and np.abs(first).max() < LARGEST else None


def _is_fit(states: Values, sigma: float) -> bool:
    """True if every state moves, and no faster than it is sampled."""
    span = np.ptp(states, axis=0)
    steps = np.abs(np.diff(states, axis=0)).max(0)
    moves = span > LEAST_MOTION * sigma * np.sqrt(np.mean(states**2, axis=0))
    return bool(np.all(moves) and np.all(steps < FASTEST * span))
