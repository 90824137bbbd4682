"""What searches make of units, grammar and operators."""

import numpy as np
import pytest

from hypo.checks import NO_LIMIT
from hypo.data import from_arrays
from hypo.expression.analysis.dimension import infer
from hypo.expression.operators import BY_OPCODE
from hypo.kernels.opcodes import FIRST_UNARY, POW
from hypo.knowledge import Knowledge
from hypo.posterior import structure_mcmc as chain
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.outcome import Outcome
from hypo.units import parse_unit
from tests.oracles.searches import LAWS, ROWS, TWO_STAGES, agrees, exact, find, noisy

FREE_FALL = {"units": {"h": "m", "g": "m/s^2", "d": "m", "t": "s"}}
FALL = np.random.default_rng(6).uniform(0.5, 3.0, (60, 3))


def fall(**options: object) -> Outcome:
    data = from_arrays(FALL, noisy(np.sqrt(2 * FALL[:, 0] / FALL[:, 1]), 0.02), names=["h", "g", "d"], target="t")
    settings = Settings(**{**TWO_STAGES, **options})  # type: ignore[arg-type]
    return search(make_problem(data, Knowledge.from_dict(FREE_FALL), settings), settings)


def test_units_prune_what_is_inconsistent() -> None:
    outcome = fall(library_sizes=(100,))
    assert outcome.best is not None
    assert agrees(outcome.best.expression, lambda h, g, d: np.sqrt(2 * h / g), ("h", "g", "d"), rel=0.02)
    known = {n: parse_unit(u).dimension for n, u in FREE_FALL["units"].items()}
    for h in outcome.front:
        assert h.violation == 0
        report = infer(h.expression, {n: known[n] for n in "hgd"}, {}, known["t"])
        assert report.inconsistent == 0, str(h.expression)
    without = fall(fit_constants=False, library_sizes=(20000,), max_complexity=5)
    # sqrt(h/g), sqrt(d/g) and what doubles them: few hypotheses carry seconds.
    assert 0 < without.distinct < 40


def operators_of(outcome: Outcome) -> set[str]:
    return {BY_OPCODE[o].name for h in outcome.front for o, _ in h.expression.code if o >= FIRST_UNARY}


def test_forbidden_operators_never_appear() -> None:
    y = noisy(LAWS["exponential link"](*ROWS.T), 0.01)
    assert "exp" in operators_of(exact("exponential link"))
    outcome = find(y, {"grammar": {"forbid": ["exp", "tanh", "sin", "asin"]}}, library_sizes=(100,))
    assert outcome.best is not None and len(outcome.front) > 2
    assert not operators_of(outcome) & {"exp", "tanh", "sin", "asin"}


@pytest.mark.parametrize("operators", [("+", "*"), ("*", "/", "sqrt"), ("+", "*", "sin")])
def test_only_named_operators_appear(operators: tuple[str, ...]) -> None:
    spellings = {"*": {"square", "cube", "**"}, "/": {"inv", "**"}, "-": {"neg"}, "sqrt": {"**"}}
    outcome = find(noisy(LAWS["rational"](*ROWS.T), 0.02), operators=operators, library_sizes=(100,))
    allowed = set(operators).union(*(spellings.get(o, set()) for o in operators))
    assert outcome.best is not None and operators_of(outcome) <= allowed


def test_size_and_nesting_limits_are_kept() -> None:
    y = noisy(np.exp(np.sin(ROWS[:, 0])) * ROWS[:, 1], 0.02)
    outcome = find(
        y, {"grammar": {"max_complexity": 9, "nesting": {"exp": ["sin", "cos", "exp"]}}}, library_sizes=(100,)
    )
    assert outcome.best is not None
    assert all(h.complexity <= 9 for h in outcome.front)
    for h in outcome.front:
        for part in h.expression.walk():
            if BY_OPCODE.get(part.root) and BY_OPCODE[part.root].name == "exp":
                inside = {BY_OPCODE[o].name for o, _ in part.code[:-1] if o >= FIRST_UNARY}
                assert not inside & {"sin", "cos", "exp"}


def test_impossible_units_find_nothing() -> None:
    y = noisy(ROWS[:, 0] * ROWS[:, 1])
    outcome = find(y, {"units": {"x": "m", "z": "m", "w": "m", "y": "kg"}}, fit_constants=False, library_sizes=(250,))
    assert outcome.status == "nothing_found" and outcome.best is None and outcome.front == ()


def test_operators_of_a_call_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Chains obey them too; a few hundred formulas of theirs show it.
    monkeypatch.setattr(chain, "MOST_WEIGHED", 200)
    x = np.linspace(1.0, 3.0, 40)
    settings = Settings(operators=("+", "-", "*", "/"), time_limit=NO_LIMIT, turns=2)
    outcome = search(make_problem(from_arrays(x[:, None], x**2.5, names=["x"]), None, settings), settings)
    assert outcome.front
    for h in outcome.front:
        for node, (code, _) in enumerate(h.expression.code):
            if code >= FIRST_UNARY:
                assert BY_OPCODE[code].name in {"+", "-", "*", "/", "neg", "inv", "square", "cube", "**"}
            if code == POW:
                assert float(h.expression.subtree(node - 1).values[0]).is_integer()
