"""Line numbers of keys in TOML texts."""

from __future__ import annotations

import random
import tomllib

from hypo.knowledge.text.toml_lines import find_lines

# --- lines of keys ------------------------------------------------------------------------------------------


def test_lines_of_every_kind_of_key() -> None:
    text = '''\
a.b = 1            # dotted = key
"quoted.key" = [   # an array
  1,
  # [not.a.table]
  [2, "]"],
]
s = """
[x]
y = 1
"""
t = \'\'\'z = "\'\'\'
[ one . "tw\\u006f" ]
k = { p = 1, q = { r = [ { u = 1 } ] } }
[[many]]
v = 1
[many.sub]
w = 2
[[many]]
v = 3
[one]
last = """a\\""" b"""""
end = 'a\\'
after = 1979-05-27 07:32:00
'''
    tomllib.loads(text)
    lines = find_lines(text)
    expected = {
        ("a",): 1,
        ("a", "b"): 1,
        ("quoted.key",): 2,
        ("quoted.key", 0): 3,
        ("quoted.key", 1): 5,
        ("quoted.key", 1, 1): 5,
        ("s",): 7,
        ("t",): 11,
        ("one", "two"): 12,
        ("one", "two", "k", "q", "r", 0, "u"): 13,
        ("many",): 14,
        ("many", 0): 14,
        ("many", 0, "v"): 15,
        ("many", 0, "sub", "w"): 17,
        ("many", 1): 18,
        ("many", 1, "v"): 19,
        ("one",): 20,
        ("one", "last"): 21,
        ("one", "end"): 22,
        ("one", "after"): 23,
    }
    assert {path: lines.where.get(path) for path in expected} == expected
    assert lines.of("one", "missing", "deeper") == 20
    assert lines.of("nothing") == 1
    assert lines.repeated == []


def test_every_key_of_a_parsed_file_has_its_line() -> None:
    """Against an oracle: a key written alone on its line, at any depth, is found on that line."""
    rng = random.Random(4)
    for _ in range(200):
        text, where = _random_document(rng)
        tomllib.loads(text)
        found = find_lines(text).where
        assert {path: found.get(path) for path in where} == where


def _random_document(rng: random.Random) -> tuple[str, dict[tuple, int]]:
    values = [
        '"a # [b]"',
        "'''x\ny = 1\n'''",
        "[1,\n 2]",
        "{ z = 1, y = [2] }",
        "1.5e3",
        "true",
        '"""\n[q]\n"""',
        '"\\""',
    ]
    out: list[str] = []
    where: dict[tuple, int] = {}
    line = 1

    def put(text: str) -> None:
        nonlocal line
        out.append(text)
        line += text.count("\n")

    counts: dict[str, int] = {}
    for t in range(rng.randint(1, 5)):
        if rng.random() < 0.3:
            put("# comment = [1\n\n")
        name = f"t{t}" if rng.random() < 0.7 else "many"
        if name == "many":
            table: tuple = ("many", counts.get("many", 0))
            counts["many"] = table[1] + 1
            where[table] = line
            put("[[many]]\n")
        else:
            table = (name,)
            where[table] = line
            put(f"[ {name} ]  # x = 3\n")
        for key in range(rng.randint(0, 4)):
            written, path = rng.choice(
                [(f"k{key}", (f"k{key}",)), (f'"k{key}.x"', (f"k{key}.x",)), (f"d{key} . e", (f"d{key}", "e"))]
            )
            where[table + path] = line
            put(f"  {written} = {rng.choice(values)}\n")
    return "".join(out), where
