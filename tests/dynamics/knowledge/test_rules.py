"""Rules about a system as a whole, against systems for which the answer is known from textbooks."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.knowledge.derived import derive, find_derivations
from hypo.dynamics.knowledge.equation import knowledge_of_equation, known_equations, require_names
from hypo.dynamics.knowledge.rules import SystemRules
from hypo.dynamics.system import System
from hypo.errors import KnowledgeError
from hypo.expression.parser import parse
from hypo.knowledge.claims.claim import PROVED, REFUTED
from hypo.knowledge.knowledge import Knowledge
from hypo.knowledge.motion import MotionKnowledge


def make_system(laws: dict[str, str], actions: tuple[str, ...] = (), discrete: bool = False) -> System:
    columns = (*laws, *actions)
    return System(
        tuple(parse(text, variables=columns) for text in laws.values()),
        tuple(laws),
        actions=actions,
        is_discrete=discrete,
    )


def levels(motion: MotionKnowledge, system: System, **ranges: tuple[float, float]) -> list[str]:
    known = dict.fromkeys(system.columns, (0.1, 2.0)) | ranges
    return [verdict.level for _, verdict in SystemRules(motion, known, {}).verdicts(system)]


SIR = {"s": "-0.5*s*i", "i": "0.5*s*i - 0.2*i", "r": "0.2*i"}
PENDULUM = {"x": "v", "v": "-sin(x) - 0.1*v"}
CASES = [
    (SIR, {"conserved": ("s + i + r",)}, "proved"),
    ({**SIR, "r": "0.3*i"}, {"conserved": ("s + i + r",)}, "refuted"),
    ({"x": "v", "v": "-4*x"}, {"conserved": ("v**2/2 + 2*x**2",)}, "proved"),
    ({"x": "v", "v": "-4*x - v"}, {"conserved": ("v**2/2 + 2*x**2",)}, "refuted"),
    (PENDULUM, {"decreasing": ("v**2/2 - cos(x)",)}, "proved"),
    ({"x": "v", "v": "-sin(x) + 0.1*v"}, {"decreasing": ("v**2/2 - cos(x)",)}, "refuted"),
    ({"x": "x*(1 - y)", "y": "y*(x - 1)"}, {"positive": ("x",)}, "proved"),
    ({"x": "x - 1", "y": "y"}, {"positive": ("x",)}, "refuted"),
    ({"x": "x*(1 - x - 2*y)", "y": "y*(1 - y - 2*x)"}, {"exchange": (("x", "y"),)}, "proved"),
    ({"x": "x*(1 - x - 2*y)", "y": "y*(1 - y - 3*x)"}, {"exchange": (("x", "y"),)}, "refuted"),
]


@pytest.mark.parametrize(("laws", "said", "level"), CASES)
def test_a_rule_is_proved_or_refuted(laws: dict[str, str], said: dict[str, tuple[str, ...]], level: str) -> None:
    assert levels(MotionKnowledge(**said), make_system(laws)) == [level]


@pytest.mark.parametrize(("law", "level"), [("-x + u*sin(x)", "proved"), ("-x + u**2", "refuted"), ("-x", "proved")])
def test_inputs_enter_linearly(law: str, level: str) -> None:
    assert levels(MotionKnowledge(linear_inputs=("u",)), make_system({"x": law}, ("u",))) == [level]


def test_a_conserved_quantity_holds_without_inputs_only() -> None:
    pushed = make_system({"x": "v", "v": "-x + u"}, ("u",))
    assert levels(MotionKnowledge(conserved=("x**2 + v**2",)), pushed) == ["proved"]


def test_a_discrete_system_conserves_a_sum() -> None:
    system = make_system({"x": "0.9*x + 0.2*y", "y": "0.1*x + 0.8*y"}, discrete=True)
    assert levels(MotionKnowledge(conserved=("x + y",)), system) == ["proved"]


def test_exchange_holds_where_either_of_two_speeds_goes() -> None:
    # The laws differ where a speed is beyond 1, and x_dot alone goes there in the data.
    laws = {"x": "x_dot", "y": "y_dot", "x_dot": "-x - x_dot", "y_dot": "-y - min(y_dot, 1)"}
    columns = tuple(laws)
    system = System(tuple(parse(text, variables=columns) for text in laws.values()), columns, measured=2)
    ranges = {"x": (0.0, 1.0), "y": (0.0, 1.0), "x_dot": (-3.0, 3.0), "y_dot": (-0.5, 0.5)}
    rules = SystemRules(MotionKnowledge(exchange=(("x", "y"),)), ranges, {})
    (rule,) = rules.rules(system)
    assert dict(rule.domain.ranges) == {**ranges, "y_dot": (-3.0, 3.0)}
    assert rule.check(proof=True).level == "refuted"


def test_a_violation_grows_with_how_much_is_missing() -> None:
    motion = MotionKnowledge(conserved=("s + i + r",))
    rules = SystemRules(motion, dict.fromkeys(SIR, (0.1, 1.0)), {})
    off = [rules.violation(make_system({**SIR, "r": f"{k}*i"})) for k in (0.2, 0.21, 0.3, 1.0)]
    assert off[0] == 0
    assert off == sorted(off)


def test_a_law_follows_from_a_conserved_sum() -> None:
    motion = MotionKnowledge(conserved=("s + i + 2*r",))
    system = make_system({"s": "a*s*i", "i": "b*s*i - c*i", "r": "i"})
    (how,) = [d for d in find_derivations(motion, system.states, {}) if d.state == "r"]
    derived = derive(system, how)
    assert len(derived.parameters) == 3
    values = derived.with_parameters(np.array([-0.5, 0.5, 0.2]))
    X = np.array([[0.9, 0.4], [0.1, 0.3], [0.0, 0.2]])
    rates = values.rates(X, np.repeat(values.parameters[:, None], 2, axis=1))
    np.testing.assert_allclose(rates[2], 0.1 * X[1], rtol=1e-12)


def test_a_law_follows_by_exchange() -> None:
    system = make_system({"x": "a*x - b*x*y", "y": "y"})
    (how,) = [d for d in find_derivations(MotionKnowledge(exchange=(("x", "y"),)), ("x", "y"), {}) if d.state == "y"]
    derived = derive(system, how)
    X = np.array([[2.0], [3.0]])
    rates = derived.rates(X, np.array([[1.5], [0.25]]))
    np.testing.assert_allclose(rates[:, 0], [1.5 * 2 - 0.25 * 6, 1.5 * 3 - 0.25 * 6])


def test_knowledge_of_one_equation() -> None:
    known = Knowledge.from_dict(
        {
            "constants": {"g": {"value": 9.81, "unit": "m/s^2"}},
            "dynamics": {
                "x": "v",
                "v": "-g/L*sin(x) + h(x, v)",
                "positive": ["v"],
                "must_use": {"v": ["x"]},
                "must_not_use": {"v": ["u"]},
            },
        }
    )
    of_v = knowledge_of_equation(known, "v", ("x", "v", "u"), "y")
    assert of_v.template is not None
    assert of_v.template.unknowns == {"h": ("x", "v")}
    assert (of_v.must_use, of_v.must_not_use, of_v.dynamics) == (("x",), ("u",), None)
    assert of_v.rules[0].where == {"v": (0.0, 0.0)}
    assert {state: str(e) for state, e in known_equations(known, ("x", "v", "u")).items()} == {"x": "v"}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"dynamics": {"z": "x"}}, "[dynamics] z: z is no state; the states are x, v"),
        ({"dynamics": {"positive": ["xx"]}}, "[dynamics] positive: xx is no state"),
        ({"dynamics": {"linear_inputs": ["u"]}}, "[dynamics] linear_inputs: u is no input; there are no inputs"),
        ({"dynamics": {"must_use": {"v": ["w"]}}}, "[dynamics] must_use.v: w is no column"),
        ({"dynamics": {"v": "h(x, w)"}}, "[dynamics] v: h is a function of w, which is no column"),
        ({"guesses": {"forms": ["x"]}}, "[guesses] is about one law, and a system has several"),
    ],
)
def test_names_that_fit_nothing(said: dict[str, object], message: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        require_names(Knowledge.from_dict(said), ("x", "v"), (), ("x", "v"))
    assert message in str(caught.value)


def test_positive_is_asked_where_the_other_states_are_positive_too() -> None:
    # Noise made A negative in the data; with A >= 0 the rate of B at B = 0 is c1*A >= 0.
    motion = Knowledge.from_dict({"dynamics": {"positive": ["A", "B"]}}).dynamics
    assert motion is not None
    ranges = {"A": (-0.01, 2.0), "B": (-0.02, 1.0)}
    chain = System((parse("-0.3*A"), parse("0.3*A - 0.2*B")), ("A", "B"))
    assert [v.level for _, v in SystemRules(motion, ranges, {}).verdicts(chain)] == [PROVED, PROVED]
    leak = System((parse("-0.3*A"), parse("0.3*A - 0.2")), ("A", "B"))
    (_, held), (_, broken) = SystemRules(motion, ranges, {}).verdicts(leak)
    assert held.level == PROVED
    assert broken.level == REFUTED
    assert broken.witness is not None
    assert broken.witness.at["A"] >= 0
