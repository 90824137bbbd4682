"""``model.invariants()``: quantities that the law keeps, and those that it can only lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.invariants.library import gradients_of, list_quantities
from hypo.dynamics.model.invariants.proof import is_conserved, name_coefficient
from hypo.dynamics.model.invariants.search import Conserved, Gradients, find_conserved, solve_for
from hypo.dynamics.model.invariants.terms import LawTerm, leave_out, list_terms
from hypo.dynamics.model.names import name_parameters, with_names
from hypo.dynamics.model.states import Box, box_of
from hypo.dynamics.system import System
from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]

# States at which rates are compared: many more than functions.
STATES = 600
# Draws of the constants from their errors.
DRAWS = 12
# Size of a rate with other constants, as a share of its terms, that counts as 0.
ALIKE = 1e-8
# A rate counts as at or below 0 up to this share of its largest size.
ROUNDING = 1e-9
# Sums that can only fall which are shown.
MOST_DISSIPATED = 3


@dataclass(frozen=True)
class Invariant:
    """A quantity that is kept, or can only fall or only rise.

    Attributes:
        expression: over the states, with the constants of the law by name where its coefficients are made of them.
        kind: ``"conserved"``, ``"conserved within errors"`` (of the constants), ``"dissipated"`` (can only
            fall) or ``"rising"``.
        is_proved: True where its rate vanishes identically, for any values of the constants.
        drift: standard deviation along the data, as a share of that of its largest term, which the noise of the samples
            limits; NaN where hidden states belong to it.
        because: the term of the law by which it falls or rises.
    """

    expression: Expression
    kind: str
    is_proved: bool
    drift: float
    because: str = ""

    def __str__(self) -> str:
        end = f" by {self.because}" if self.because else ", proved" if self.is_proved else ""
        return f"{self.expression.pretty()}: {self.kind}{end}"


def find_invariants(model: ModelFields, seed: int = 0) -> tuple[Invariant, ...]:
    """Conserved quantities of the likeliest system, simplest first, then dissipated ones.

    They are sought among sums of monomials to degree four, logarithms, exponentials, sines and cosines of states, and
    integrals of what occurs in the law; rates are compared over the box of the data.
    """
    return _Search(model, seed).run()


class _Search:
    def __init__(self, model: ModelFields, seed: int) -> None:
        self.model, self.system = model, model.system
        self.rng = np.random.default_rng(seed)
        self.box: Box = box_of(model)
        self.X = self.box.sample(STATES, self.rng)
        self.laws = dict(zip(self.system.states, with_names(self.system), strict=True))
        positive = [s for s, low in zip(self.system.states, self.box.low, strict=False) if low >= 0]
        self.positive = frozenset(positive)
        self.library = self._usable(list_quantities(self.system.states, tuple(self.laws.values())))
        self.of_constants = dict(zip(name_parameters(self.system), self.system.parameters, strict=True))
        # Irregular factors, so that no simple ratio of constants stays by chance.
        factors = 1.0 + 0.2 * self.rng.random(len(self.of_constants))
        self.others = {k: v * q for (k, v), q in zip(self.of_constants.items(), factors, strict=True)}

    def _usable(self, library: Sequence[Expression]) -> tuple[Expression, ...]:
        """Functions with a value at all sampled states."""
        n = len(self.system.states)
        ok = [np.all(np.isfinite(Program.of(g, self.system.states).value(self.X[:n]))) for g in library]
        return tuple(g for g, good in zip(library, ok, strict=True) if good)

    def run(self) -> tuple[Invariant, ...]:
        n = len(self.system.states)
        f = self._rates(self.system)
        gradients: Gradients
        if self.system.is_discrete:
            gradients = _Differences.of(self.library, self.system.states, self.X[:n], f)
        else:
            gradients = Gradients(gradients_of(self.library, self.system.states, self.X[:n]))
        most = n if self.system.is_discrete else max(n - 1, 0)
        found = find_conserved(gradients, f, self._spread(), most)
        out = [self._as_invariant(c) for c in found]
        if not self.system.is_discrete:
            out += self._dissipated(gradients, f, found)
        return tuple(out)

    def _rates(self, system: System, P: Values | None = None) -> Values:
        """Rates (n_state, n) at the sampled states."""
        own = system.parameters if P is None else P
        return system.rates(self.X, np.repeat(own[:, None], self.X.shape[1], axis=1))

    def _spread(self) -> list[Values]:
        covariance = self.model.covariance
        if not covariance.size or not np.any(np.diag(covariance) > 0):
            return []
        draws = self.rng.multivariate_normal(self.system.parameters, covariance, DRAWS, check_valid="ignore")
        each = [self._rates(self.system, P) for P in draws]
        return [f for f in each if np.all(np.isfinite(f))]

    def _with_others(self, used: Sequence[int], terms: Sequence[LawTerm]) -> Values | None:
        """Coefficients of the same sum where the law has other constants; None where it is not conserved then."""
        functions = [_with_constants(self.library[k], self.others) for k in used]
        n = len(self.system.states)
        f = self._rates(leave_out(self.system.with_parameters(np.array(list(self.others.values()))), terms))
        A = Gradients(gradients_of(functions, self.system.states, self.X[:n]))
        sizes = A.sizes(f)
        c = solve_for(A.rates(f), sizes, list(range(1, len(used))), 0)
        size = float(np.sum(np.abs(c) * sizes))
        return c if np.sqrt(np.mean((A.rates(f) @ c) ** 2)) <= ALIKE * size else None

    def _expression(self, c: Values, terms: Sequence[LawTerm] = ()) -> Expression:
        """The sum with coefficients by name: the first is 1, or 1/2 where it stands at a square."""
        used = [int(k) for k in np.flatnonzero(c)]
        first = self.library[used[0]]
        scale = 0.5 if str(first).endswith("**2") and len(first) == 2 and len(used) > 1 else 1.0
        own = c[used] / c[used[0]] * scale
        discrete = self.system.is_discrete
        again = None if discrete else self._with_others(used, terms)
        others = own if again is None else again / again[0] * scale
        total: Expression | None = None
        for k, value, other in zip(used, own, others, strict=True):
            sign = -1.0 if total is not None and value < 0 else 1.0
            known = ({}, {}) if again is None else (self.of_constants, self.others)
            coefficient = name_coefficient(sign * value, known[0], sign * other, known[1])
            term = self.library[k] if coefficient == Expression.constant(1.0) else coefficient * self.library[k]
            total = term if total is None else total - term if sign < 0 else total + term
        assert total is not None
        return total

    def _as_invariant(self, found: Conserved) -> Invariant:
        u = self._expression(found.coefficients)
        if found.is_approximate:
            return Invariant(u, "conserved within errors", False, self._drift(found.coefficients))
        proved = is_conserved(u, self.laws, self.system.is_discrete, self.positive)
        return Invariant(u, "conserved", proved, self._drift(found.coefficients))

    def _drift(self, c: Values) -> float:
        """How much a sum varies along the runs of the data, as a share of its largest term."""
        used = [int(k) for k in np.flatnonzero(c)]
        measured = self.system.states[: self.system.n_measured]
        if not all(set(self.library[k].variables) <= set(measured) for k in used):
            return float("nan")
        varied, size, count = 0.0, 0.0, 0
        for run in self.model.data.runs:
            rows = run.states[np.all(np.isfinite(run.states), axis=1)].T
            terms = np.array(
                [c[k] * Program.of(self.library[k], measured).value(np.ascontiguousarray(rows)) for k in used]
            )
            terms = terms[:, np.all(np.isfinite(terms), axis=0)]
            if terms.shape[1] > 1:
                varied += float(np.var(terms.sum(0)) * terms.shape[1])
                size += float(np.max(np.var(terms, axis=1)) * terms.shape[1])
                count += terms.shape[1]
        return float(np.sqrt(varied / size)) if count and size > 0 else float("nan")

    def _dissipated(self, gradients: Gradients, f: Values, kept: Sequence[Conserved]) -> list[Invariant]:
        """Sums that would be conserved without one term of the law, and that fall by it at all sampled states."""
        out: list[Invariant] = []
        n = len(self.system.states)
        known = [c.coefficients for c in kept]
        for terms in list_terms(self.system):
            if len(out) >= MOST_DISSIPATED or len(known) >= n:
                break
            reduced = self._rates(leave_out(self.system, terms))
            for c in find_conserved(gradients, reduced, (), max(n - 1, 1)):
                several = len({v for k in np.flatnonzero(c.coefficients) for v in self.library[k].variables}) > 1
                if (n > 1 and not several) or gradients.rank([*known, c.coefficients]) <= len(known):
                    continue
                rate = gradients.rates(f) @ c.coefficients
                largest = float(np.max(np.abs(rate)))
                signs = np.unique(np.sign(rate[np.abs(rate) > ROUNDING * largest]))
                if len(signs) != 1 or largest == 0.0:
                    continue
                u = self._expression(c.coefficients, terms)
                falls = float(signs[0]) * c.coefficients[np.flatnonzero(c.coefficients)[0]] < 0
                names = " and ".join(t.text for t in terms)
                kind = "dissipated" if falls else "rising"
                out.append(Invariant(u, kind, False, self._drift(c.coefficients), names))
                known.append(c.coefficients)
        return out


def _with_constants(e: Expression, values: Mapping[str, float]) -> Expression:
    return e.with_values([values.get(c.name or "", c.value) for c in e.constants])


@dataclass(frozen=True)
class _Differences(Gradients):
    """The same for discrete laws: the change of each function in one step (n, n_function)."""

    changes: Values
    values: Values

    @staticmethod
    def of(library: Sequence[Expression], states: Sequence[str], X: Values, following: Values) -> _Differences:
        programs = [Program.of(g, states) for g in library]
        now = np.column_stack([p.value(X) for p in programs])
        then = np.column_stack([p.value(np.ascontiguousarray(following)) for p in programs])
        return _Differences(gradients_of(library, states, X), then - now, np.abs(then) + np.abs(now))

    def rates(self, f: Values) -> Values:
        return self.changes

    def sizes(self, f: Values) -> Values:
        return np.asarray(np.sqrt(np.mean(self.values**2, axis=0)))
