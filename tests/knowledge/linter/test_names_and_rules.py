"""What the linter finds of names, places, templates, guesses and rules that contradict each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypo.knowledge import Knowledge
from tests.knowledge.linter.linting import found
from tests.oracles.knowledge_files import pendulum, problems, write

GRAMMAR = [
    (
        '[grammar]\noperators = ["+", "*"]\nmust_use = ["x"]\nonly = { x = ["sin"], y = ["exp", "cos"], z = ["+", "sin"] }',
        [
            "K:4: error: [grammar.only] x: sin is not allowed, so x cannot occur at all, but must_use demands it",
            "K:4: warning: [grammar.only] y: exp and cos are not allowed, so y cannot occur at all; allow one of them, or "
            "write must_not_use",
            "K:4: note: [grammar.only] z: sin is not allowed anyway",
        ],
    ),
    (
        '[grammar]\nonly = { x = ["sin"] }\nmust_not_use = ["x"]\nnever_inside = { x = ["sin", "exp"] }',
        [
            "K:2: warning: [grammar.only] x: never_inside keeps x out of sin, so x cannot occur at all",
            "K:2: note: [grammar.only] x: x must not be used anyway",
        ],
    ),
    (
        '[grammar]\nforbid = ["exp"]\nnever_inside = { x = ["exp"] }',
        ["K:3: note: [grammar.never_inside] x: exp is not allowed, so this limit never applies"],
    ),
    (
        '[grammar]\nmust_use = ["a", "b", "c"]\nmax_complexity = 4\nmax_depth = 2',
        [
            "K:3: error: [grammar] max_complexity: 4 leaves no formula with the 3 names of must_use, which has at least "
            "5 nodes",
            "K:4: error: [grammar] max_depth: 2 leaves no formula with the 3 names of must_use, which has at least 3 levels",
        ],
    ),
    ("[grammar]\nmax_depth = 1", ["K:2: warning: [grammar] max_depth: 1 leaves only single variables and constants"]),
    (
        '[grammar]\noperators = ["+", "sin"]\nexponents = "integer"\n[priors]\nexp = 0.5\nsin = 20',
        [
            "K:3: note: [grammar] exponents: no operator allowed has an exponent, so this never applies",
            "K:5: note: [priors] exp: exp is not allowed, so its weight never counts",
            "K:6: note: [priors] sin: a weight above 1 rewards each use of sin with 3 nats",
        ],
    ),
    (
        '[grammar]\nforbid = ["sqrt"]\nmax_complexity = 5\nexponents = "integer"\n[template]\nform = "sqrt(a)*b*h(x) + b**0.5"',
        [
            "K:6: error: [template] form: no formula of this form keeps [grammar] max_complexity: the complexity 10 is "
            "above the "
            "maximum of 5",
            "K:6: error: [template] form: no formula of this form keeps [grammar] forbid: sqrt is forbidden",
            "K:6: error: [template] form: no formula of this form keeps [grammar] exponents: an exponent is 0.5, but must be a "
            "whole number",
        ],
    ),
    (
        '[grammar]\nmust_not_use = ["x"]\n[template]\nform = "a*h(x)"',
        ["K:4: error: [template] form: h is a function of x only, which must not be used"],
    ),
    (
        '[grammar]\nforbid = ["exp"]\n[guesses]\nforms = [\n"a*x",\n"exp(x)"]',
        ["K:6: warning: [guesses] forms: it breaks [grammar] forbid: exp is forbidden"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), GRAMMAR)
def test_lint_of_what_leaves_too_little(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert found(tmp_path, text) == expected


def test_lint_of_template_and_guesses_against_the_table(tmp_path: Path) -> None:
    data = pendulum(units={"T": "s", "L": "m", "g": "m/s^2", "theta": "rad"})
    assert found(tmp_path, '[template]\nform = "T = sqrt(L/g)*h(theta)"', data) == []
    assert found(tmp_path, '[template]\nform = "sqrt(L/g)*h(theta) + L"', data) == [
        "K:2: error: [template] form: the units do not fit, whatever h may be: the formula has the dimension m, but the target "
        "has s"
    ]
    assert found(tmp_path, '[units]\nhard = false\n[template]\nform = "a*h(theta)*exp(L) + g"', data) == [
        "K:4: warning: [template] form: the units do not fit, whatever h may be: in exp(L), its argument has the "
        "dimension m, but "
        "must be a pure number; 2 such places in all"
    ]
    text = (
        '[grammar]\nmust_use = ["g"]\n[template]\nform = "l*h(L)"\n[guesses]\nforms = ["y = g", "T*g", "Theta*g", "L"]'
    )
    assert found(tmp_path, text, data) == [
        "K:4: error: [template] form: must_use demands g, but it can stand neither in the "
        "known part nor in the unknown functions",
        "K:4: note: [template] form: no formula of this form uses theta",
        "K:4: note: [template] form: l is no column, so it is a constant to fit; did you mean L?",
        "K:6: error: [guesses] forms: the left side is y, but the target is T",
        "K:6: error: [guesses] forms: the target T stands on the right side",
        "K:6: warning: [guesses] forms: it breaks [grammar] must_use: g must be used, but does not occur",
        "K:6: note: [guesses] forms: Theta is no column, so it is a constant to fit; did you mean theta?",
    ]


def test_lint_of_names_in_every_section(tmp_path: Path) -> None:
    text = (
        '[ranges]\nl = [0, 1]\nT = [0, 1]\n[grammar]\nmust_use = ["gg"]\nmust_not_use = ["zzz"]\n'
        'never_together = [["L", "g2"]]\n'
        '[grammar.only]\nThet = ["sin"]\nT = ["sin"]\n[[rule]]\nkind = "even"\nvariable = "thta"\n[template]\nform = "L*h(G)"\n'
    )
    assert found(tmp_path, text, pendulum()) == [
        "K:2: warning: [ranges] l: the table has no column l; did you mean L?",
        "K:3: warning: [ranges] T: this is the target; ranges are for columns, and a rule of kind bounds limits the target",
        "K:5: error: [grammar] must_use: the table has no column gg; did you mean g?",
        "K:6: warning: [grammar] must_not_use: the table has no column zzz; its columns are L, g, theta",
        "K:7: warning: [grammar] never_together: the table has no column g2; did you mean g?",
        "K:9: warning: [grammar.only] Thet: the table has no column Thet; did you mean theta?",
        "K:10: warning: [grammar.only] T: T is the target, which stands in no formula",
        'K:11: error: [[rule]] 1: unknown variable "thta"; did you mean theta?',
        "K:15: error: [template] form: h is a function of G, which is no column; did you mean g?",
    ]


def test_lint_of_rules_that_contradict_each_other(tmp_path: Path) -> None:
    text = (
        '[[rule]]\nkind = "bounds"\nmin = 0.0\n\n[[rule]]\nkind = "nothing"\n\n[[rule]]\nkind = "even"\nvariable = "x"\n\n'
        '[[rule]]\nkind = "odd"\nvariable = "x"\n\n[[rule]]\nkind = "value"\nat = { x = 1.0 }\nequals = -3.0\n'
    )
    lines = found(tmp_path, text)
    assert [line.split(": it contradicts")[0] for line in lines] == [
        lines[0],
        "K:12: warning: [[rule]] 4",
        'K:16: note: [[rule]] 5: it may contradict rule 1 on line 1: "0 <= f" and "f = -3 at x = 1" do not go together: no '
        "number is both >= 0 and -3 at x = 1; whether it comes to that depends on the domain, which [ranges] or a table "
        "settles",
    ]
    assert "it contradicts rule 3 on line 8: " in lines[1]
    assert lines[1].endswith("only f = 0 is both even and odd in x")


SPLIT = (
    '[[rule]]\nkind = "sign"\nsign = "positive"\nhard = true\n'
    '[[rule]]\nkind = "value"\nat = { L = %s }\nequals = 0.0\nhard = true\n'
)


def test_contradictions_concern_the_domain_of_the_data(tmp_path: Path) -> None:
    """Rules contradict each other at a point that both speak of: pendulums have lengths from 1 to 2."""
    inside, outside = SPLIT % 1.5, SPLIT % 0.0
    assert Knowledge.load(write(tmp_path, inside)).rules
    assert not [line for line in found(tmp_path, outside, pendulum()) if "contradict" in line]
    (line,) = [line for line in found(tmp_path, inside, pendulum()) if "contradict" in line]
    assert line == (
        'K:5: error: [[rule]] 2: it contradicts rule 1 on line 1: "T > 0" and "T = 0 at L = 1.5" do not go together: no number '
        "is both > 0 and 0 at L = 1.5"
    )
    (stated,) = problems(tmp_path, "[ranges]\nL = [1.0, 2.0]\n" + inside)
    assert stated.startswith("K:7: [[rule]] 2: it contradicts rule 1 on line 3: ")
    (line,) = [
        line for line in found(tmp_path, "[ranges]\nL = [1.0, 2.0]\n" + inside, pendulum()) if "contradict" in line
    ]
    assert '"T > 0" and "T = 0 at L = 1.5"' in line


def test_rules_that_say_nothing_are_warned_of(tmp_path: Path) -> None:
    for text, data in (
        ("1 > 0", None),
        ("1 > 0", pendulum()),
        ("forall a in [0, 1]: a < 2", None),
        ("L > 0", pendulum()),
    ):
        (line,) = found(tmp_path, f'[[rule]]\nkind = "logic"\nformula = "{text}"\n', data)
        assert line == (
            "K:3: warning: [[rule]] 1 formula: this never mentions the law, so it is true or false of every formula alike"
        )
    for text in ("T > 0", "f > 0", "dT/dL > 0", "forall a in [1, 2]: f(a, a, a) > -9", "int(T, L, 1, 2) > 0"):
        for data in (None, pendulum()):
            assert not found(tmp_path, f'[[rule]]\nkind = "logic"\nformula = "{text}"\n', data)
    zero = '[[rule]]\nkind = "bounds"\nmin = 0.0\nweight = 0\n'
    assert found(tmp_path, zero) == [
        "K:4: warning: [[rule]] 1 weight: this rule counts for nothing; give it a weight above 0, or remove it"
    ]
    assert found(tmp_path, zero + "hard = true\n") == []


def test_names_in_a_sentence_point_to_its_formula(tmp_path: Path) -> None:
    text = '[[rule]]\nkind = "logic"\nweight = 2.0\nformula = "%s"\nwhere = { Q = [0, 1] }\n'
    first, second = found(tmp_path, text % "T > thta", pendulum())
    assert first.startswith('K:1: error: [[rule]] 1: unknown variable "Q"; ')
    assert second.startswith("K:4: error: [[rule]] 1 formula: ")
    assert "thta" in second
    assert any(
        line.startswith("K:4: error: [[rule]] 1 formula: ") for line in found(tmp_path, text % "T(L) > 0", pendulum())
    )


FOLLOW_UPS = [
    (
        '[grammar]\noperators = ["+", "tims"]\n[guesses]\nforms = ["L*g"]\n[template]\nform = "L*h(theta)"\n'
        "[priors]\nsin = 0.5",
        2,
    ),
    ('[units]\nT = "s"\nL = "metr2"\ng = "m/s^2"\ntheta = "1"\n[template]\nform = "sqrt(L/g)*h(theta)"', 3),
    (
        '[units]\nT = "s"\nL = "m"\ng = "kg"\ntheta = "1"\n[constants]\nk = { value = 3.0, unit = "metr2" }\n'
        '[grammar]\nmust_use = ["k"]\n',
        7,
    ),
    (
        '[ranges]\nL = [10.0, 0.1]\n[[rule]]\nkind = "bounds"\nmin = 5.0\nhard = true\n[[rule]]\nkind = "value"\n'
        "at = { L = 1.5 }\nequals = 0.0\nhard = true\n",
        2,
    ),
]


@pytest.mark.parametrize(("text", "line"), FOLLOW_UPS)
def test_an_error_has_no_follow_ups(tmp_path: Path, text: str, line: int) -> None:
    for data in (None, pendulum()):
        (error,) = [f for f in found(tmp_path, text, data) if "no formula of this form uses" not in f]
        assert error.startswith(f"K:{line}: error: ")


def test_guesses_that_break_hard_rules_are_warned_of(tmp_path: Path) -> None:
    text = (
        '[[rule]]\nkind = "sign"\nsign = "positive"\nhard = true\n[[rule]]\nkind = "even"\nvariable = "LL"\nhard = true\n'
        '[guesses]\nforms = [\n"L",\n"T = -L",\n"-a*L"]\n'
    )
    lines = [line for line in found(tmp_path, text, pendulum()) if "guess" in line]
    assert len(lines) == 1
    assert lines[0].startswith("K:12: warning: [guesses] forms: it breaks the hard rule 1 (T > 0); at L = ")
    assert lines[0].endswith(" > 0 is false; such a guess is refused")


def test_pairs_that_leave_little_are_warned_of(tmp_path: Path) -> None:
    rising = '[[rule]]\nkind = "monotone"\nvariable = "L"\ndirection = "%s"\nhard = true\n'
    (line,) = found(tmp_path, rising % "increasing" + rising % "decreasing")
    assert line == (
        'K:6: warning: [[rule]] 2: beside rule 1 on line 1: "f is increasing in L" and "f is decreasing in L" together leave '
        "little: only a law that does not change with L keeps both"
    )
