"""Laws and rules from their texts, with a case of every kind: what keeps it and what breaks it."""

from __future__ import annotations

import math
import tomllib

from hypothesis import strategies as st

from hypo.expression.parser import parse
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import built_in_kinds
from hypo.knowledge.rules.registry import read_rule
from tests.oracles.reference import evaluate

RANGES = {"x": (0.5, 2.0), "y": (0.5, 3.0), "z": (-1.0, 1.0)}


def law(text, **ranges):
    return Law(parse(text), "f", ("x", "y", "z"), {**RANGES, **ranges})


def rule(text):
    """The rule in a line of TOML such as ``kind = "even", variable = "x"``."""
    problems = []
    found = read_rule(
        tomllib.loads(f"rule = {{ {text} }}")["rule"], lambda path, message: problems.append((path, message))
    )
    assert found is not None, problems
    return found


# rule, laws that keep it and are proved to, laws that keep it, laws that break it
CASES = {
    "bounds": (
        'kind = "bounds", min = 0.0, max = 4.0',
        ["x*y/2", "exp(-x)", "x + 2*z**2", "sqrt(x)"],
        ["4 - z**2"],
        ["x - 1", "x*y", "log(x)", "5 + z", "1/z"],
    ),
    "bounds, strict": (
        'kind = "bounds", min = 0.0, strict = true',
        ["x", "exp(z)", "1 + z/2"],
        ["x*y"],
        ["z", "z**2", "x - 1", "log(x)"],
    ),
    "sign": (
        'kind = "sign", sign = "positive"',
        ["x*y", "exp(z)", "x + 1/y", "2 + z"],
        [],
        ["z", "-x", "log(x)", "x - y"],
    ),
    "nonpositive": (
        'kind = "sign", sign = "nonpositive"',
        ["-x*y", "-z**2", "z - 1", "-exp(z)"],
        [],
        ["x", "z", "log(x)", "x*z"],
    ),
    "nonzero": (
        'kind = "sign", sign = "nonzero"',
        ["x*y", "-exp(z)", "x**2 + z**2", "-1/x"],
        ["1/(x - 1.2345)"],
        ["z", "x - 1.2345", "sin(3*y)", "x*y - 1", "log(x)"],
    ),
    "monotone": (
        'kind = "monotone", variable = "x", direction = "increasing"',
        ["x*y", "x**2 + sin(z)", "-1/x", "y*log(x)", "exp(x + z)"],
        ["max(x, y)", "7"],
        ["-x", "sin(2*x)", "z*x", "-1/(x - 1.2)", "x*(2 - x)", "sqrt(1 - x)", "-abs(x - 1)"],
    ),
    "decreasing": (
        'kind = "monotone", variable = "x", direction = "decreasing", strict = true',
        ["-x*y", "1/x", "exp(-x)", "y - x**3"],
        ["-(x - 1)**3"],
        ["x", "y", "cos(4*x)", "1/(x - 1.2)"],
    ),
    "convex": (
        'kind = "convex", variable = "x"',
        ["x**2*y", "exp(x)", "1/x", "x*log(x)", "3*x + y"],
        ["abs(x - 1)", "max(x, y)"],
        ["-x**2", "log(x)", "sin(3*x)", "-abs(x - 1.1)", "min(x, y)", "1/(x - 1)"],
    ),
    "convex in two": (
        'kind = "convex", variables = ["x", "y"]',
        ["x**2 + y**2", "exp(x + y)", "x**2/y", "(x - 2*y)**2 + x**2"],
        ["abs(x - y)", "max(x, y)"],
        ["x*y", "-x**2 + y", "x**2 - y**2", "sqrt(x*y)"],
    ),
    "convex in three": (
        'kind = "convex", variables = ["x", "y", "z"]',
        ["x**2 + y**2 + z**2", "x**2 + y**2 + z**2 + x*y/2 - y*z/2", "(x - y + z)**2 + x**2 + y**2 + z**2"],
        ["exp(x + y + z)", "abs(x - z)*1 + y"],
        ["x**2 + y**2 - z**2", "x*y*z", "x**2 + y**2 + z**2 - 1.2*(x*y + y*z + x*z)"],
    ),
    "concave in three": (
        'kind = "concave", variables = ["x", "y", "z"]',
        ["-(x**2) - y**2 - z**2 + x*y/2", "log(x) - y**2 - z**2"],
        ["-exp(x + y + z)"],
        ["log(x) - y**2 + z**2", "1.2*(x*y + y*z + x*z) - x**2 - y**2 - z**2"],
    ),
    "concave": (
        'kind = "concave", variables = ["x"]',
        ["log(x)", "-x**2", "sqrt(x)*y", "x"],
        ["min(x, y)"],
        ["x**2", "exp(x)", "cos(4*x)", "1/x"],
    ),
    "lipschitz": (
        'kind = "lipschitz", variable = "x", constant = 2.0',
        ["2*x", "sin(x)", "y - x**2/2", "log(x)"],
        ["abs(x - 1)"],
        ["3*x", "x**2", "x*y", "1/(x - 1.3)", "exp(x)"],
    ),
    "even": (
        'kind = "even", variable = "z"',
        ["z**2*x", "cos(z)", "abs(z)", "x", "(z**2 + 1)*y"],
        ["z*sin(z)", "z*tanh(z)"],
        ["z", "z**2 + 0.1*z", "exp(z)", "sqrt(z + 1)", "x*z"],
    ),
    "odd": (
        'kind = "odd", variable = "z"',
        ["z*x", "z**3", "z*y + z**3"],
        ["sin(z)", "tanh(x*z)", "z*abs(z)"],
        ["z**2", "z + 0.1", "exp(z)", "sqrt(z + 1)"],
    ),
    "periodic": (
        'kind = "periodic", variable = "x", period = 1.5',
        ["y", "z**2"],
        ["sin(x*4.1887902047863905)", "cos(x*8.377580409572781)**2*y"],
        ["x", "sin(4*x)", "x*sin(x*4.1887902047863905)", "sin(x)"],
    ),
    "symmetric": (
        'kind = "symmetric", swap = ["x", "y"]',
        ["x*y", "x + y", "(x + y)*z", "sqrt(x**2 + y**2)"],
        ["max(x, y)*z"],
        ["x", "x + 1.1*y", "x/y", "x**y"],
    ),
    "antisymmetric": (
        'kind = "antisymmetric", swap = ["x", "y"]',
        ["x - y", "x**2 - y**2"],
        ["log(x/y)", "z*(sin(x) - sin(y))"],
        ["x + y", "x - 1.1*y", "x*y", "x - y + 0.1"],
    ),
    "homogeneous": (
        'kind = "homogeneous", variables = ["x", "y"], degree = 2.0',
        ["x*y", "x**2"],
        ["x**2*z + y**2", "x*sqrt(x**2 + y**2)", "x**3/y", "x**2*sin(x/y)"],
        ["x", "x*y + 0.1", "x**2*y", "x**2.1", "x*z"],
    ),
    "scale_invariant": (
        'kind = "scale_invariant", variables = ["x", "y"]',
        ["z", "x/y"],
        ["z*sin(x/y)", "x*y/(x**2 + y**2)"],
        ["x", "x/(y + 0.1)", "x*y", "log(x)"],
    ),
    "translation_invariant": (
        'kind = "translation_invariant", variables = ["x", "y"]',
        ["x - y", "z"],
        ["exp(x - y)*z", "(x - y)**2"],
        ["x", "x - 1.1*y", "x + y", "x/y"],
    ),
    "conserved": (
        'kind = "conserved", quantity = "x + 2*y"',
        ["x + 2*y", "z", "(2*x + 4*y)*z"],
        ["exp(-(x + 2*y)/9)*z", "sin(x + 2*y)", "x**2 + 4*x*y + 4*y**2"],
        ["x", "x + y", "x + 2.001*y", "(x + 2*y)*x", "log(x - 1.2) + y"],
    ),
    "conserved product": (
        'kind = "conserved", quantity = "x*y/(1 + z**2)"',
        ["x*y/(1 + z**2)"],
        ["sqrt(x*y/(1 + z**2))"],
        ["x*y", "x*y/(1 + z)", "x/y"],
    ),
    "value": (
        'kind = "value", at = { x = 1.0 }, equals = 2.0',
        ["2*x", "x + 1", "2"],
        ["2*x**y", "x**y + x**z"],
        ["x", "2*x*y", "2.001*x", "log(x - 1)", "2 + z*x"],
    ),
    "value, to within": (
        'kind = "value", at = { x = 1.0, z = 0.0 }, equals = 2.0, tolerance = 0.1',
        ["2*x", "2.05*x + z", "1.95"],
        [],
        ["x", "2.2*x", "2*y", "1.8 + z"],
    ),
    "zeros": (
        'kind = "zeros", variable = "z", at = 0.0',
        ["z", "z*x*y", "z**2"],
        ["x*sin(z)", "1 - cos(z)"],
        ["x", "z + 0.01", "cos(z)", "1/z"],
    ),
    "zeros, only": (
        'kind = "zeros", variable = "z", at = [0.0, 0.5], only = true',
        ["z*(z - 0.5)", "z*(z - 0.5)*x*y"],
        ["exp(x)*z*(z - 0.5)"],
        ["z", "z*(z - 0.5)*(z + 0.6)", "z*(z - 0.5)*(x - 1.1)", "cos(z)"],
    ),
    "limit": (
        'kind = "limit", variable = "x", to = "inf", equals = 1.0',
        ["1 + exp(-x)*y", "tanh(x)", "1 + z/x"],
        ["x/(x + y)", "sqrt(x**2 + 2*x) - x", "1 + 1/log(1 + x)", "x*sin(1/x)", "1", "1 + sin(x)/x"],
        ["x", "2 - exp(-x)", "1.001 + 1/x", "sin(x)", "log(x)", "1 + 0.000000001*x", "sqrt(5 - x)"],
    ),
    "limit at 0": (
        'kind = "limit", variable = "x", to = 0.0, equals = 0.5',
        ["0.5 + x", "1/(2 + x*y)", "0.5*cos(x)"],
        ["(1 - cos(x))/x**2", "(exp(x) - 1 - x)/x**2", "sin(x)/(2*x)", "0.5*x**x"],
        ["x", "1/x", "log(x)", "0.51 + x", "0.5/x**0.01"],
    ),
    "limit, infinite": (
        'kind = "limit", variable = "x", to = 0.0, equals = "inf"',
        [],
        ["1/x", "-log(x)", "y/x**2", "x**(-0.1)"],
        ["-1/x", "x", "log(x)", "1/(x + 0.01)", "7"],
    ),
    "limit, far": (
        'kind = "limit", variable = "x", to = "inf", equals = "-inf"',
        [],
        ["-x", "-log(x)", "y - x**2", "-exp(x)", "x - x**2", "x - (x + sqrt(x))"],
        ["x", "-1/x", "atan(x)", "exp(x) - x", "-3"],
    ),
    "growth": (
        'kind = "growth", variable = "x", to = "inf", exponent = 2.0',
        ["x**2*y", "-x**2", "3*x**2"],
        ["x**2 + 100*x", "x**2*log(x)", "sqrt(1 + x**4)", "x**2*(2 + sin(x))"],
        ["x", "x**2.1", "exp(x)", "x**2 + 0.000001*x**3", "7"],
    ),
    "growth, bounded": (
        'kind = "growth", variable = "x", to = "inf", at_most = 1.0, at_least = 0.5',
        ["x", "sqrt(x)*y"],
        ["x**0.75 + 1", "x/log(x)", "x + 3"],
        ["x**2", "7", "x**0.4", "exp(x)", "log(x)"],
    ),
    "growth at 0": (
        'kind = "growth", variable = "x", to = 0.0, exponent = -1.0',
        ["1/x", "y/x"],
        ["1/(x + x**2)", "1/sin(x)", "y/x + 10"],
        ["x", "1/x**2", "1", "exp(1/x)"],
    ),
    "growth of small": (
        'kind = "growth", variable = "x", to = 0.0, exponent = 2.0',
        ["y*x**2"],
        ["1 - cos(x)", "exp(x) - 1 - x", "sin(x)**2"],
        ["x", "x**3", "1 - x", "x + x**2"],
    ),
    "depends": (
        'kind = "depends", variable = "x"',
        ["x", "x*y", "y + 0.1*x", "exp(x*z)"],
        [],
        ["y", "3", "y*z", "y + 0.00000001*x"],
    ),
    "not_depends": (
        'kind = "not_depends", variable = "x"',
        ["y", "3", "y*z", "sin(z)"],
        ["exp(log(y) + x - x)"],
        ["x", "y + 0.01*x", "x*z", "x**y"],
    ),
    "logic": (
        'kind = "logic", formula = "forall x in [0.5, 2]: f(x, y, z) > 0"',
        ["x", "x*y", "exp(z)", "x + y"],
        [],
        ["z", "-x", "log(x)", "x - y"],
    ),
}


def at(verdict, f):
    point = verdict.witness.at
    return float(evaluate(parse(f), {name: value for name, value in point.items() if "'" not in name}))


# --- reading and writing ----------------------------------------------------------------------------------------------

finite = st.floats(-1e6, 1e6)
ends = (
    st.tuples(st.floats(-1e6, 0), st.floats(1e-6, 1e6))
    | st.tuples(st.just(-math.inf), finite)
    | st.just((0.0, math.inf))
)


# --- kinds of one's own -----------------------------------------------------------------------------------------------


def rule_class(kind):
    return built_in_kinds()[kind]
