"""Knowledge files: ranges, priors, rules, guesses and the keys of the grammar that limit names and numbers."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hypo.errors import KnowledgeError
from hypo.expression.parser import parse
from hypo.knowledge import Knowledge, Law, NumberLimits, Template
from hypo.knowledge.rules.registry import known_kinds
from tests.oracles.knowledge_files import problems

EXAMPLE = """\
[units]
T = "s"
L = "m"
g = "m/s^2"
theta = "rad"

[ranges]
L = [0.1, 10.0]
theta = [0.0, 3.0]

[constants]
c = { value = 299792458.0, unit = "m/s" }

[grammar]
operators = ["+", "-", "*", "/", "sqrt", "sin"]
forbid = ["tan"]
max_complexity = 25
max_depth = 6
must_use = ["L"]
must_not_use = ["c"]
never_together = [["m1", "m2"], ["x", "y", "z"]]
exponents = { min = -3.0, max = 3.0, integer = true }

[grammar.nesting]
sin = ["sin", "exp"]

[grammar.only]
theta = ["sin", "cos"]

[grammar.never_inside]
L = ["sin"]

[grammar.constants]
min = -10.0
values = [1.0, 2.5]

[priors]
sin = 0.1
"**" = 2.0

[template]
form = "sqrt(L/g) * h(theta)"

[guesses]
forms = ["2*pi*sqrt(L/g)", "T = a*L/(b + L)"]

[[rule]]
kind = "monotone"
variable = "L"
direction = "increasing"
where = { L = [0.1, 10.0] }

[[rule]]
kind = "bounds"
min = 0.0
hard = true
"""


def test_every_section_is_read_and_written_back(tmp_path: Path) -> None:
    path = tmp_path / "K.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    k = Knowledge.load(path)
    assert k.as_dict() == tomllib.loads(EXAMPLE)
    assert Knowledge.from_dict(k.as_dict(), source=k.source) == k
    assert k.ranges == {"L": (0.1, 10.0), "theta": (0.0, 3.0)}
    assert (k.max_depth, k.must_use, k.must_not_use) == (6, ("L",), ("c",))
    assert k.never_together == (("m1", "m2"), ("x", "y", "z"))
    assert (k.only, k.never_inside) == ({"theta": ("sin", "cos")}, {"L": ("sin",)})
    assert k.constant_limits == NumberLimits(min=-10.0, values=(1.0, 2.5))
    assert k.exponents == NumberLimits(-3.0, 3.0, "integer")
    assert k.priors == {"sin": 0.1, "**": 2.0}
    assert k.template == Template("sqrt(L/g) * h(theta)")
    assert k.guesses == ("2*pi*sqrt(L/g)", "T = a*L/(b + L)")
    assert [r.kind for r in k.rules] == ["monotone", "bounds"]
    assert k.rules[1].hard


def test_python_takes_the_same_and_instances() -> None:
    kinds = known_kinds()
    bounds = kinds["bounds"](min=0.0)
    k = Knowledge(
        ranges={"x": [0, 1]},
        rules=(bounds, {"kind": "even", "variable": "x"}),
        exponents="integer",
        constant_limits=[1, 2],
        template=Template("h(x)"),
        guesses=["a*x"],
        priors={"ln": 0.5},
    )
    assert k.rules == (bounds, kinds["even"](variable="x"))
    assert k.ranges == {"x": (0.0, 1.0)}
    assert (k.exponents, k.constant_limits) == (NumberLimits(kind="integer"), NumberLimits(values=(1.0, 2.0)))
    assert k.priors == {"log": 0.5}
    assert Knowledge.from_dict(k.as_dict()) == k
    with pytest.raises(KnowledgeError) as caught:
        Knowledge(ranges={"x": [1, 0]}, exponents="whole", rules=({"kind": "evne"},), guesses="a*x")  # type: ignore[arg-type]
    assert [p.split("; ")[0] for p in caught.value.problems] == [
        "knowledge: [ranges] x: expected the least value first, got [1, 0]",
        'knowledge: [grammar] exponents: expected limits of the exponents, got "whole"',
        "knowledge: [guesses]: expected a table, got a string",
        'knowledge: [[rule]] 1 kind: unknown kind "evne"',
    ]


def test_guesses_may_be_an_array_at_the_top(tmp_path: Path) -> None:
    k = Knowledge.from_dict({"guesses": ["a*x"]})
    assert k.guesses == ("a*x",)
    assert k.as_dict() == {"guesses": {"forms": ["a*x"]}}
    assert problems(tmp_path, '#\nguesses = [\n"a*",\n3]') == [
        "K:3: [guesses]: cannot read the formula at column 3: expected a number, a name or '(' but the formula ends",
        "K:4: [guesses]: expected a formula in quotes, got a whole number",
    ]


LIMITS = 'write "integer", "rational", an array of values, or { min = -3, max = 3, integer = true }'
REFUSED = [
    # ranges
    ("ranges = 3", "K:1: [ranges]: expected a table, got a whole number; write lines such as L = [0.1, 10.0]"),
    (
        "[ranges]\nL = [1, 2, 3]",
        "K:2: [ranges] L: expected an array of two numbers, least and greatest, got an array; write L = [0.1, 10.0]",
    ),
    (
        "[ranges]\nL = [1, 1]",
        "K:2: [ranges] L: expected the least value first, got [1, 1]; a range needs two different ends",
    ),
    ("[ranges]\nL = [2, 1]", "K:2: [ranges] L: expected the least value first, got [2, 1]"),
    (
        "[ranges]\nL = [0, inf]",
        'K:2: [ranges] L: expected finite ends; what holds towards infinity is a rule of kind "limit" or "growth"',
    ),
    ('[ranges]\nL = [0, "1"]', 'K:2: [ranges] L: expected a number, got "1"'),
    (
        "[ranges]\nsin = [0, 1]",
        'K:2: [ranges] sin: "sin" is an operator, not a free name; hypo calls such a column sin_',
    ),
    (
        "[constants]\nc = { value = 3 }\n[ranges]\nc = [0, 1]",
        "K:4: [ranges] c: this name is a constant in [constants], which has one value; ranges are for columns",
    ),
    # names
    ('[grammar]\nmust_use = "L"', 'K:2: [grammar] must_use: expected an array of names such as ["x", "y"], got "L"'),
    ("[grammar]\nmust_use = [1]", "K:2: [grammar] must_use: expected a name in quotes, got 1"),
    ('[grammar]\nmust_not_use = ["exp"]', 'K:2: [grammar] must_not_use: "exp" is an operator, not a free name'),
    (
        '[grammar]\nmust_use = ["x"]\nmust_not_use = ["y", "x"]',
        "K:3: [grammar] must_not_use: x also stands in must_use; no formula can do both",
    ),
    (
        '[grammar]\nnever_together = ["x", "y"]',
        'K:2: [grammar] never_together: expected an array of groups, got one group; write [["x", "y"]]',
    ),
    (
        '[grammar]\nnever_together = [\n["x"]]',
        "K:3: [grammar] never_together: a group needs at least two different names",
    ),
    (
        '[grammar]\nmust_use = ["x", "y"]\nnever_together = [["x", "u"],\n["y", "x"]]',
        "K:4: [grammar] never_together: y and x both stand in must_use; no formula can do both",
    ),
    (
        "[grammar]\nnever_together = 3",
        'K:2: [grammar] never_together: expected an array of groups such as [["x", "y"]], got 3',
    ),
    # places
    (
        "[grammar.only]\ntheta = []",
        "K:2: [grammar.only] theta: the list is empty; name at least one operator, or leave the key out (must_not_use "
        "keeps a variable out)",
    ),
    (
        '[grammar.never_inside]\nx = "exp"',
        'K:2: [grammar.never_inside] x: expected an array of operators such as ["+", "*", "sin"], got "exp"',
    ),
    (
        "[grammar]\nonly = 3",
        'K:2: [grammar.only]: expected a table, got a whole number; write lines such as theta = ["sin", "cos"]',
    ),
    # sizes and numbers
    ("[grammar]\nmax_depth = 0", "K:2: [grammar] max_depth: expected a whole number of levels, at least 1, got 0"),
    (
        '[grammar]\nexponents = "whole"',
        f'K:2: [grammar] exponents: expected limits of the exponents, got "whole"; {LIMITS}',
    ),
    ("[grammar]\nexponents = 3", f"K:2: [grammar] exponents: expected a table, got a whole number; {LIMITS}"),
    ("[grammar]\nexponents = []", "K:2: [grammar.exponents] values: the list is empty; name at least one value"),
    ('[grammar]\nexponents = ["a"]', 'K:2: [grammar.exponents] values: expected a number, got "a"'),
    (
        "[grammar.constants]\nmin = 2\nmax = 1",
        "K:1: [grammar] constants: min = 2 is above max = 1, which leaves no number",
    ),
    ("[grammar.constants]\nmni = 2", "K:2: [grammar.constants] mni: unknown key; did you mean min?"),
    ("[grammar.constants]\ninteger = 2", "K:2: [grammar.constants] integer: expected true or false, got 2"),
    (
        "[grammar.constants]\ninteger = true\nvalues = [0.5, 1.5]",
        "K:3: [grammar.constants] values: none of the values is a whole number",
    ),
    # priors
    (
        "[priors]\nsin = 0",
        "K:2: [priors] sin: expected a weight above 0, got 0; 1 leaves the operator as it is, and [grammar] forbid "
        "excludes it",
    ),
    (
        "[priors]\nlog = 1\nln = 2",
        'K:3: [priors] ln: "ln" is another spelling of "log", which stands here too; keep one',
    ),
    ("[grammar]\npriors = 3", "K:2: [grammar] priors: unknown key; [priors] is a section of its own"),
    ("must_use = 3", "K:1: [must_use]: unknown section; it belongs into [grammar]"),
    # rules
    ("[rule]\nkind = 3", "K:1: [rule]: expected an array of tables; write [[rule]] in double brackets"),
    ("rule = 3", "K:1: [rule]: expected an array of tables, got 3; begin each rule with [[rule]]"),
    (
        '[[rule]]\nkind = "monotone"\nvariable = "x"\ndirection = "increasing"\n\n[[rule]]\nkind = "bonds"',
        'K:7: [[rule]] 2 kind: unknown kind "bonds"; did you mean bounds?',
    ),
    (
        '[[rule]]\nkind = "bounds"\nmin = 1\nhard = true\n[[rule]]\nkind = "sign"\nsign = "negative"\nhard = true',
        "K:5: [[rule]] 2: it contradicts rule 1 on line 1: ",
    ),
    # template and guesses
    ("[template]", 'K:1: [template]: the template has no form; write form = "sqrt(L/g) * h(theta)"'),
    ("[template]\nfrom = 3\nform = 'h(x)'", "K:2: [template] from: unknown key; the only key is form"),
    (
        "[template]\nform = 3",
        'K:2: [template] form: expected a formula in quotes, got 3; write form = "sqrt(L/g) * h(theta)"',
    ),
    (
        '[template]\nform = "h(x) + sin("',
        "K:2: [template] form: cannot read the formula at column 12: expected a number, a name or '(' but the formula ends",
    ),
    (
        '[guesses]\nforms = "a*x"',
        'K:2: [guesses] forms: expected an array of formulas such as ["a*x/(b + x)"], got "a*x"',
    ),
    (
        '[guesses]\nforms = ["sqrt*x"]',
        "K:2: [guesses] forms: cannot read the formula at column 1: sqrt is a function; expected '(' after it",
    ),
    ('[guesses]\nform = ["a*x"]', "K:2: [guesses] form: unknown key; the only key is forms"),
    # units with an offset
    (
        '[units]\nT = "degC"',
        'K:2: [units] T: the unit "degC" has an offset, so no factor leads to SI; use kelvin (K) and convert the numbers, '
        "or delta_degC for differences; without a unit the numbers are fitted as they are",
    ),
    (
        '[units]\nT = "°F"',
        'K:2: [units] T: the unit "°F" has an offset, so no factor leads to SI; use kelvin (K) and convert the numbers, or '
        "delta_degC for differences; without a unit the numbers are fitted as they are",
    ),
    (
        '[constants]\nT0 = { value = 20, unit = "J/°C" }',
        'K:2: [constants] T0.unit: the unit "°C" in "J/°C" has an offset, so no factor leads to SI; use kelvin (K) and '
        "convert the numbers, or delta_degC for differences",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refusals_name_line_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    (found,) = problems(tmp_path, text)
    if message.endswith(": "):
        assert found.startswith(message)
        assert len(found) > len(message) + 5
    else:
        assert found == message


def test_all_problems_of_all_sections_at_once(tmp_path: Path) -> None:
    text = (
        EXAMPLE.replace("[0.1, 10.0]\ntheta", "[0.1]\ntheta")
        .replace('["L"]', '["L L"]')
        .replace("sin = 0.1", "sinn = 0.1")
        .replace("h(theta)", "h(theta")
        .replace("2*pi*sqrt", "2*pi*sqt")
        .replace('"increasing"', '"incresing"')
    )
    assert [int(p.split(":")[1]) for p in problems(tmp_path, text)] == [8, 19, 38, 42, 45, 50]


def test_large_files_are_refused_unread(tmp_path: Path) -> None:
    assert problems(tmp_path, "#" * 1_000_001) == [
        "K:1: the file has 1000001 bytes; a knowledge file has at most 1000000"
    ]


def test_names_are_required_of_the_table() -> None:
    k = Knowledge.from_dict(
        {
            "grammar": {"must_use": ["l"], "only": {"zz": ["sin"]}},
            "template": {"form": "h(thet)"},
            "guesses": ["K*L"],
            "ranges": {"other": [0, 1]},
            "rule": [{"kind": "even", "variable": "T"}],
        }
    )
    with pytest.raises(KnowledgeError) as caught:
        k.require_names(["L", "theta"], "T")
    assert caught.value.problems == (
        "knowledge: [grammar] must_use: the table has no column l; did you mean L?",
        "knowledge: [[rule]] 1: T is the target; a rule is about the variables",
        "knowledge: [template] form: h is a function of thet, which is no column; did you mean theta?",
    )
    k.require_names(["l", "T", "thet"], "y")


def test_verdicts_are_those_of_the_rules() -> None:
    k = Knowledge.from_dict(
        {"rule": [{"kind": "bounds", "min": 0.0}, {"kind": "monotone", "variable": "x", "direction": "decreasing"}]}
    )
    law = Law(parse("x**2 + 1"), "y", ["x"], {"x": (1.0, 2.0)})
    (first, kept), (second, refuted) = k.verdicts(law, proof=True)
    assert (first, second) == k.rules
    assert (kept.level, kept.amount) == ("proved", 0.0)
    assert (refuted.level, refuted.amount > 0) == ("refuted", True)
    assert [v.level for _, v in k.verdicts(law, points=64)] == ["unrefuted", "refuted"]
    assert Knowledge().verdicts(law) == ()


def test_hard_rules_must_agree_on_the_data(tmp_path: Path) -> None:
    import hypo.api.inputs as inputs
    from hypo.data import from_arrays

    table = {
        "rule": [
            {"kind": "sign", "sign": "positive", "hard": True},
            {"kind": "value", "at": {"S": 0.0}, "equals": 0.0, "hard": True},
        ]
    }
    above = from_arrays([[0.13], [2.0], [5.0]], [1.0, 2.0, 3.0], names=["S"], target="v")
    assert len(inputs.make_knowledge(table, above).rules) == 2
    around = from_arrays([[-1.0], [2.0], [5.0]], [1.0, 2.0, 3.0], names=["S"], target="v")
    with pytest.raises(KnowledgeError) as caught:
        inputs.make_knowledge(table, around)
    assert str(caught.value) == (
        'knowledge: [[rule]] 2: it contradicts rule 1: "v > 0" and "v = 0 at S = 0" do not go together: no number is both > 0 '
        "and 0 at S = 0"
    )
    with pytest.raises(KnowledgeError, match='it contradicts rule 1: "v > 0" and "v = 0 at S = 0"'):
        inputs.make_knowledge(table | {"ranges": {"S": [0.0, 5.0]}}, above)
    assert inputs.make_knowledge(table | {"ranges": {"S": [0.1, 5.0]}}, around).ranges == {"S": (0.1, 5.0)}


def test_knowledge_reads_back_as_equal(tmp_path: Path) -> None:
    path = tmp_path / "K.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    k = Knowledge.load(path)
    assert Knowledge.from_dict(k.as_dict()) == k
    assert k != Knowledge()


def test_only_paths_are_loaded() -> None:
    with pytest.raises(
        KnowledgeError,
        match="^expected the path of a knowledge file, got a table; a dictionary is read by "
        r"Knowledge\.from_dict$",
    ):
        Knowledge.load({})
    with pytest.raises(
        KnowledgeError, match=r"^expected the path of a knowledge file, got a whole number; give its path$"
    ):
        Knowledge.load(3)
