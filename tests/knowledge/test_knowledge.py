"""Knowledge files: what is read, what is refused and in which words."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hypo.errors import KnowledgeError
from hypo.expression.operators import OPERATORS
from hypo.knowledge import Knowledge, NamedConstant
from hypo.units import DIMENSIONLESS, Dimension, parse_unit
from tests.oracles.knowledge_files import EXAMPLE, problems, write

# --- reading ------------------------------------------------------------------------------------------------


def test_example_is_read(tmp_path: Path) -> None:
    k = Knowledge.load(write(tmp_path, EXAMPLE))
    assert {name: unit.text for name, unit in k.units.items()} == {"T": "s", "L": "m", "g": "m/s^2", "theta": "rad"}
    assert k.dimensions["g"] == Dimension((1, 0, -2))
    assert k.dimensions["theta"] == DIMENSIONLESS
    assert k.constants == {"c": NamedConstant(299792458.0, parse_unit("m/s"))}
    assert k.operators == ("+", "-", "*", "/", "sqrt", "sin")
    assert k.forbid == ("tan",)
    assert k.max_complexity == 25
    assert k.nesting == {"sin": ("sin", "exp")}
    assert not k.strict_angles
    assert not k.soft
    assert k.source.endswith("K.toml")


def test_empty_file_states_nothing(tmp_path: Path) -> None:
    k = Knowledge.load(write(tmp_path, ""))
    assert k == Knowledge(source=k.source)
    assert k.operators is None
    assert k.as_dict() == {}


def test_settings_of_units() -> None:
    k = Knowledge.from_dict({"units": {"theta": "rad", "strict_angles": True, "hard": False}})
    assert k.strict_angles
    assert k.soft
    assert list(k.units) == ["theta"]
    assert k.dimensions["theta"].exponents[-1] == 1


def test_aliases_become_the_names_of_the_table() -> None:
    k = Knowledge.from_dict(
        {
            "grammar": {
                "operators": ["+", "^", "**", "ln", "arcsin", "pow"],
                "forbid": ["arctan"],
                "nesting": {"ln": ["^", "Abs"]},
            }
        }
    )
    assert k.operators == ("+", "**", "log", "asin")
    assert k.forbid == ("atan",)
    assert k.nesting == {"log": ("**", "abs")}


def test_dictionary_round_trip(tmp_path: Path) -> None:
    k = Knowledge.load(write(tmp_path, EXAMPLE))
    assert k.as_dict() == tomllib.loads(EXAMPLE)
    assert Knowledge.from_dict(k.as_dict(), source=k.source) == k
    soft = Knowledge(units={"a": "rad"}, strict_angles=True, soft=True)
    assert Knowledge.from_dict(soft.as_dict()) == soft


def test_constructor_reads_units_and_checks() -> None:
    k = Knowledge(units={"L": "m"}, constants={"c": NamedConstant(3e8, parse_unit("m/s"))}, operators=("+", "^"))
    assert k.units["L"] == parse_unit("m")
    assert k.operators == ("+", "**")
    with pytest.raises(KnowledgeError) as caught:
        Knowledge(units={"hard": "m"}, operators=("plus",), max_complexity=0)
    assert caught.value.problems == (
        "knowledge: [units] hard: this name is a setting of [units]; rename the column",
        'knowledge: [grammar] operators: unknown operator "plus"; valid are ' + " ".join(o.name for o in OPERATORS),
        "knowledge: [grammar] max_complexity: expected a whole number of nodes, at least 1, got 0",
    )


def test_with_units_fills_in_and_refuses_contradictions() -> None:
    k = Knowledge(units={"L": "m"}, operators=("+", "*"))
    more = k.with_units({"T": "s", "L": "m"})
    assert {n: u.text for n, u in more.units.items()} == {"T": "s", "L": "m"}
    assert more.operators == ("+", "*")
    assert list(k.units) == ["L"]
    with pytest.raises(
        KnowledgeError,
        match=r'\[units\] L: "m" contradicts the unit \[cm\] in the table\'s header; '
        r"correct one of them, or leave it out here$",
    ):
        k.with_units({"L": "cm"})
    with pytest.raises(KnowledgeError, match=r"\[constants\] c: the table has a column of this name"):
        Knowledge(constants={"c": {"value": 1.0}}).with_units({"c": "m"})


# --- refusals -----------------------------------------------------------------------------------------------

VALID = " ".join(o.name for o in OPERATORS)
SECTIONS = "units, ranges, constants, grammar, priors, template, guesses, dynamics and rule"
KEYS = (
    "operators, forbid, max_complexity, max_depth, nesting, must_use, must_not_use, never_together, only, "
    "never_inside, constants and exponents"
)
CONSTANT = 'c = { value = 299792458.0, unit = "m/s" }'
REFUSED = [
    # sections and keys
    ('[unit]\nL = "m"', "K:1: [unit]: unknown section; did you mean units?"),
    ("\n[stuff]", "K:2: [stuff]: unknown section; known sections are " + SECTIONS),
    ('forbid = ["tan"]', "K:1: [forbid]: unknown section; it belongs into [grammar]"),
    ("[grammar]\nmax_complexty = 3", "K:2: [grammar] max_complexty: unknown key; did you mean max_complexity?"),
    ("[grammar]\nzzz = 3", "K:2: [grammar] zzz: unknown key; known keys are " + KEYS),
    ("[grammar.units]\nL = 3", "K:1: [grammar] units: unknown key; [units] is a section of its own"),
    # types of sections
    ("units = 3", 'K:1: [units]: expected a table, got a whole number; write lines such as L = "m"'),
    ("constants = []", f"K:1: [constants]: expected a table, got an array; write lines such as {CONSTANT}"),
    (
        "grammar = true",
        'K:1: [grammar]: expected a table, got a truth value; write lines such as operators = ["+", "*", "sin"]',
    ),
    # units
    (
        '[units]\nL = "m"\ng = "metre/fortnite"',
        'K:3: [units] g: unknown unit "fortnite" in "metre/fortnite"; did you mean "fortnight"?',
    ),
    (
        "[units]\nL = 1",
        'K:2: [units] L: expected a unit in quotes, got 1; write "1" in quotes for a dimensionless quantity',
    ),
    ("[units]\nL = true", 'K:2: [units] L: expected a unit in quotes, got true; write "m/s^2"'),
    (
        '[units]\nhard = "no"',
        'K:2: [units] hard: this is a setting, expected true or false, got "no" (a column named '
        "hard must be renamed to be given a unit)",
    ),
    (
        '[units]\n"my column" = "m"',
        'K:2: [units] "my column": "my column" cannot be a name in a formula (ASCII letters, '
        "digits and _; no keyword); hypo calls such a column my_column",
    ),
    ('[units]\nexp = "m"', 'K:2: [units] exp: "exp" is an operator, not a free name; hypo calls such a column exp_'),
    ('[units]\npi = "1"', "K:2: [units] pi: pi is a known constant, not a free name; hypo calls such a column pi_"),
    # constants
    ('[constants]\nc = { unit = "m/s" }', f"K:2: [constants] c: the constant has no value; write {CONSTANT}"),
    ('[constants]\nc = { value = "3e8" }', 'K:2: [constants] c.value: expected a number, got "3e8"'),
    ("[constants]\nc = { value = nan }", "K:2: [constants] c.value: expected a finite number, got nan"),
    ("[constants]\nc = { value = true }", "K:2: [constants] c.value: expected a number, got true"),
    ('[constants]\nc = { value = 1, unt = "m" }', "K:2: [constants] c.unt: unknown key; did you mean unit?"),
    ('[constants.c]\nvalue = 1\nunit = "mm3x"', 'K:3: [constants] c.unit: unknown unit "mm3x"; did you mean "'),
    (
        "[constants]\nc = 2.5",
        'K:2: [constants] c: expected a table with value and unit, got 2.5; write c = { value = 2.5, unit = "1" }',
    ),
    (
        "[constants]\nsin = { value = 1 }",
        'K:2: [constants] sin: "sin" is an operator, not a free name; choose another name, such as sin_',
    ),
    (
        "[constants]\npi = { value = 3 }",
        "K:2: [constants] pi: pi is a known constant, not a free name; choose another name, such as pi_",
    ),
    (
        '[constants]\n"2G" = { value = 3 }',
        'K:2: [constants] 2G: "2G" cannot be a name in a formula (ASCII letters, '
        "digits and _; no keyword); choose another name, such as x2G",
    ),
    (
        '[units]\nc = "m/s"\n[constants]\nc = { value = 3e8 }',
        "K:4: [constants] c: this name also stands in [units], which is for the target and the columns; "
        "rename the "
        "constant, or remove the entry there",
    ),
    # operators
    (
        '[grammar]\noperators = [\n  "+",\n  "sine",\n]',
        f'K:4: [grammar] operators: unknown operator "sine"; did you mean "sin"? valid are {VALID}',
    ),
    ('[grammar]\noperators = ["+", "§"]', f'K:2: [grammar] operators: unknown operator "§"; valid are {VALID}'),
    (
        '[grammar]\noperators = "+-"',
        'K:2: [grammar] operators: expected an array of operators such as ["+", "*", "sin"], got "+-"',
    ),
    ("[grammar]\noperators = [1]", "K:2: [grammar] operators: expected an operator's name in quotes, got 1"),
    (
        "[grammar]\noperators = []",
        "K:2: [grammar] operators: the list is empty; name at least one operator, or leave the key out to allow all",
    ),
    (
        '[grammar]\nforbid = ["TAN2"]',
        f'K:2: [grammar] forbid: unknown operator "TAN2"; did you mean "tan"? valid are {VALID}',
    ),
    (
        '[grammar]\noperators = ["+", "sin"]\nforbid = ["sin", "+"]',
        "K:3: [grammar] forbid: this forbids every operator allowed; leave at least one",
    ),
    # complexity
    (
        "[grammar]\nmax_complexity = 0",
        "K:2: [grammar] max_complexity: expected a whole number of nodes, at least 1, got 0",
    ),
    (
        "[grammar]\nmax_complexity = 2.5",
        "K:2: [grammar] max_complexity: expected a whole number of nodes, at least 1, got 2.5",
    ),
    (
        "[grammar]\nmax_complexity = true",
        "K:2: [grammar] max_complexity: expected a whole number of nodes, at least 1, got true",
    ),
    # nesting
    (
        "[grammar]\nnesting = 3",
        'K:2: [grammar.nesting]: expected a table, got a whole number; write lines such as sin = ["sin", "exp"]',
    ),
    (
        '[grammar.nesting]\nsinn = ["exp"]',
        f'K:2: [grammar.nesting] sinn: unknown operator "sinn"; did you mean "sin"? valid are {VALID}',
    ),
    (
        '[grammar.nesting]\nsin = [\n"exq"]',
        f'K:3: [grammar.nesting] sin: unknown operator "exq"; did you mean "exp"? valid are {VALID}',
    ),
    (
        "[grammar.nesting]\nsin = { sin = 0 }",
        'K:2: [grammar.nesting] sin: expected an array of operators such as ["+", "*", "sin"], got a table',
    ),
    (
        '[grammar.nesting]\n"**" = ["exp"]\n"^" = ["sin"]',
        'K:3: [grammar.nesting] "^": "^" is another spelling of "**", which stands here too; put both into one list',
    ),
    # TOML itself
    ('[units]\nL = "m"\nT "s"', "K:3: not valid TOML at column 3: expected '=' after a key in a key/value pair"),
    ('[units]\nL = "m"\nT = ', "K:3: not valid TOML at column 5, the end of the file: invalid value"),
    ('[units]\nL = "m"\n\nL = "s"\n', "K:4: [units] L: stands here twice, first on line 2; keep one"),
    ('[units]\nL = "m"\n[grammar]\n[units]\n', "K:4: [units]: stands here twice, first on line 1; keep one"),
    ("[constants]\nc = { value = 1, value = 2 }\n", "K:2: "),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refusals_name_line_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1
    if message.endswith(('"', " ")):
        assert found[0].startswith(message)
    else:
        assert found[0] == message


def test_all_problems_at_once_in_order_of_lines(tmp_path: Path) -> None:
    text = EXAMPLE.replace('"m"', '"metr2x"').replace("25", "-1").replace('"tan"', '"tam"').replace("value", "valeu")
    found = problems(tmp_path, text)
    assert [int(p.split(":")[1]) for p in found] == [4, 9, 9, 13, 14]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "no.toml"
    with pytest.raises(KnowledgeError, match=r"no\.toml: cannot read the knowledge file: No such file or directory"):
        Knowledge.load(missing)
    with pytest.raises(KnowledgeError, match="cannot read the knowledge file: Is a directory"):
        Knowledge.load(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b'[units]\nL = "m"\n# 20 \xb0C\n')
    with pytest.raises(KnowledgeError, match=r"latin\.toml:3: byte 0xb0 is not UTF-8; save the file as UTF-8"):
        Knowledge.load(path)
    path.write_bytes(b"a = " + b"[" * 5000)
    with pytest.raises(KnowledgeError, match="nested too deeply"):
        Knowledge.load(path)
    path.write_bytes(b"a = " + b"9" * 6000)
    with pytest.raises(KnowledgeError, match="not valid TOML"):
        Knowledge.load(path)
    path.write_bytes(b'\xef\xbb\xbf[units]\r\nL = "m"\r\n')
    assert list(Knowledge.load(path).units) == ["L"]


def test_from_dict_refuses_what_is_no_table() -> None:
    with pytest.raises(
        KnowledgeError, match=r"^knowledge: expected a table, got an array; write the sections \[units\]"
    ):
        Knowledge.from_dict([])  # type: ignore[arg-type]
    with pytest.raises(KnowledgeError, match=r"^mine: \[units\]: a key must be text, got 1; "):
        Knowledge.from_dict({"units": {1: "m"}}, source="mine")
    with pytest.raises(KnowledgeError, match="a key must be text"):
        Knowledge.from_dict({3: {}})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("L = m", 'at column 5: text must stand in quotes; write "m"'),
        ('L = "m', "at column 7: the text ends without its quote; add it"),
        ("L = (0, 1)", "at column 5: a list stands in square brackets, as in [0, 1]"),
        ('L = "m" g = "s"', 'at column 9: "g = \\"s\\"" follows on the same line; write each key on a line of its own'),
        (
            "L = 0..4",
            'at column 6: "..4" follows the value; write text in quotes, and several values as a list such as [0, 1]',
        ),
    ],
)
def test_what_is_not_toml_is_said_in_plain_words(tmp_path: Path, line: str, said: str) -> None:
    assert problems(tmp_path, f"[units]\n{line}\n") == [f"K:2: not valid TOML {said}"]
