"""Valid knowledge files, and random changes of them."""

from __future__ import annotations

import random
import re

# A file with every section but rules.
QUANTITIES = """\
# A pendulum.
[units]                       # SI strings
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
operators = ["+", "-", "*", "/", "sqrt", "sin", "**"]
forbid = ["tan"]
max_complexity = 25
max_depth = 9
must_use = ["L"]
must_not_use = ["c"]
never_together = [["L", "theta"], ["g", "theta"]]
exponents = "rational"

[grammar.nesting]             # inside sin, neither sin nor exp
sin = ["sin", "exp"]

[grammar.only]
theta = ["sin", "cos"]

[grammar.never_inside]
L = ["sin"]

[grammar.constants]
min = -10.0
max = 100
integer = true

[priors]
sin = 0.1
"**" = 0.5

[template]
form = "T = sqrt(L/g) * h(theta)"

[guesses]
forms = ["2*pi*sqrt(L/g)", "a*L/(b + L)"]
"""

# A file with many kinds of rules.
RULES = """\
[units]
T = "s"

[[rule]]
kind = "monotone"
variable = "L"
direction = "increasing"
where = { L = [0.1, "inf"] }
weight = 2.0

[[rule]]
kind = "bounds"
min = 0.0
max = 1e3
hard = true

[[rule]]
kind = "value"
at = { theta = 0.0, L = 1.0, g = 9.81 }
equals = 2.006
tolerance = 0.01

[[rule]]
kind = "limit"
variable = "L"
to = 0.0
equals = 0.0

[[rule]]
kind = "growth"
variable = "L"
to = "inf"
exponent = 0.5

[[rule]]
kind = "symmetric"
swap = ["L", "g"]

[[rule]]
kind = "homogeneous"
variables = ["L", "g"]
degree = 0

[[rule]]
kind = "conserved"
quantity = "L*g + 2*theta"

[[rule]]
kind = "periodic"
variable = "theta"
period = 6.283185307179586

[[rule]]
kind = "logic"
formula = "forall L in [0.1, 10], g in [1, 20]: T(L=4*L) > T(L=L) and not (L < 0 or df/dL < 0)"
"""

# Files that are changed: each uses many sections or kinds of rules.
SEEDS = (QUANTITIES, RULES, QUANTITIES + RULES.split("\n", 3)[3])

# Pieces that are inserted.
PIECES = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    ".",
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "#",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\x00",
    "\x7f",
    "é",
    "√",
    "Ω",
    "𝟙",
    "ﬁ",
    "\u202e",
    "\ud800",
    "\ufeff",
    "1e999",
    "-1",
    "-0.0",
    "nan",
    "inf",
    "-inf",
    "true",
    "1979-05-27",
    "0x1F",
    "1_000",
    "9" * 400,
    "9" * 6000,
    "1e-400",
    "a" * 3000,
    "[[rule]]\n",
    "[units]\n",
    "[grammar]\n",
    "[grammar.only]\n",
    "[rule]\n",
    "[guesses]\n",
    "[template]\n",
    "L",
    "T",
    "sin",
    '"+"',
    '"degC"',
    '"m^(1/0)"',
    '"dB"',
    "hard = 1\n",
    "\\u0041",
    "[]",
    "{}",
    '""',
    '"((m"',
    '"m s^-1"',
    "[" * 50,
    "{a=" * 50,
    "(" * 300,
    "-" * 500,
    "h(" * 200,
    "**2" * 100,
    "2**" * 100,
    "pi = ",
    "^",
    "h(x)",
    "f = ",
    'kind = "even"\n',
    'kind = "no"\n',
    'variable = "x"\n',
    "weight = -1\n",
    "forall x in [0,1]: ",
    "int(T, L, 0, 1)",
    "not " * 100,
    "d2f/dx2",
    "__import__('os')",
    "\"__import__('os').system('true')\"",
    "lambda: 0",
    "exec(1)",
    "${PATH}",
    "{0.__class__}",
    "%s%n",
]
# What a value is replaced by.
VALUES = [
    "3",
    "-1",
    "0",
    "2.5",
    "nan",
    "inf",
    "true",
    '""',
    '"x"',
    '"inf"',
    "[]",
    "{}",
    "[1, 2]",
    '["x"]',
    "[[1]]",
    '[["x", "y"]]',
    "{ x = 1 }",
    "{ x = [0, 1] }",
    "1979-05-27",
    "07:32:00",
    "9" * 300,
    "1e308",
    "-1e-308",
    '"' + "(" * 250 + '"',
    '"integer"',
    '[1, "x", true, {}]',
    '"\\u0000"',
    "[" * 60 + "]" * 60,
]


def mutate(rng: random.Random, text: str) -> bytes:
    """The bytes of ``text`` after one to eight random changes."""
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3, 8])):
        text = _change(rng, text)
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    if rng.random() < 0.15:
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def _change(rng: random.Random, text: str) -> str:
    text = text or "\n"
    at = rng.randrange(len(text) + 1)
    short = min(len(text), at + rng.randint(1, 12))
    lines = text.split("\n")
    line = rng.randrange(len(lines))
    match rng.randrange(10):
        case 0:
            return text[:at] + rng.choice(PIECES) + text[at:]
        case 1:
            return text[:at] + text[short:]
        case 2:
            return text[:at] + rng.choice(PIECES) + text[short:]
        case 3:
            rng.shuffle(lines)
        case 4:
            lines.insert(rng.randrange(len(lines) + 1), lines[line])
        case 5:
            return text[:at] + chr(rng.choice([rng.randrange(32, 127), rng.randrange(0x20, 0xD7FF)])) + text[at + 1 :]
        case 6:  # two tokens change places
            tokens = re.findall(r'\w+|"[^"\n]*"|\s+|.', text)
            a, b = rng.randrange(len(tokens)), rng.randrange(len(tokens))
            tokens[a], tokens[b] = tokens[b], tokens[a]
            return "".join(tokens)
        case 7:  # a value of another type
            key, sign, _ = lines[line].partition("=")
            lines[line] = f"{key}= {rng.choice(VALUES)}" if sign else lines[line]
        case 8:  # a long or deep repetition
            piece, times = lines[line] or "[", rng.choice([2, 30, 300])
            lines[line] = ("\n" if rng.random() < 0.5 else "").join([piece] * times)
        case _:
            del lines[line : line + rng.randint(1, 4)]
    return "\n".join(lines)
