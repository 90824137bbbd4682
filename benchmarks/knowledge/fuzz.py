"""Mutated knowledge files: whatever stands in them, loading answers with knowledge or with messages.

    python benchmarks/knowledge/fuzz.py [--files 100000] [--seed 0] [--out fuzz.json]

Valid files that use every section and every kind of rule are changed at random: bytes flipped, pieces inserted, deleted and
swapped, lines shuffled and doubled, brackets nested deeply, numbers made huge, values given other types, letters other scripts.
Each is loaded; what loads is written back, read again and compared; every tenth is linted against a table. It counts as
failed when anything but KnowledgeError is raised, a problem has no line or no message, a call takes over a second, or code is
compiled or executed, a process started or a module imported (watched with an audit hook). The exit status is 1 then.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hypo.data import Dataset, from_arrays
from hypo.errors import KnowledgeError
from hypo.expression.parser import parse
from hypo.knowledge import Knowledge, lint

LIMIT = 1.0
"""Seconds that one file may take, of this process's time."""

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

SEEDS = (QUANTITIES, RULES, QUANTITIES + RULES.split("\n", 3)[3])

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


def mutated(rng: random.Random, text: str) -> bytes:
    """``text`` after one to eight random changes."""
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3, 8])):
        text = _changed(rng, text)
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    if rng.random() < 0.15:
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def _changed(rng: random.Random, text: str) -> str:
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


@dataclass
class Tally:
    """What became of the files; ``failures`` holds (kind of failure, the file's number, detail)."""

    files: int = 0
    loaded: int = 0
    problems: int = 0
    linted: int = 0
    slowest: float = 0.0
    failures: list[tuple[str, int, str]] = field(default_factory=list)


_EVENTS = (
    "compile",
    "exec",
    "import",
    "os.exec",
    "os.system",
    "os.spawn",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
    "marshal.loads",
    "ctypes.dlopen",
    "os.remove",
    "os.rename",
    "shutil.rmtree",
)


class Watch:
    """Notes code that is run within ``with watch:``. An audit hook cannot be taken away again, so one is made per process."""

    def __init__(self) -> None:
        self.on = False
        self.seen: Counter[str] = Counter()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, _args: tuple) -> None:
        if self.on and event in _EVENTS:
            self.seen[event] += 1

    def __enter__(self) -> Watch:
        self.seen.clear()
        self.on = True
        return self

    def __exit__(self, *_: object) -> None:
        self.on = False


def table() -> Dataset:
    """Rows for the linter."""
    rng = np.random.default_rng(0)
    X = rng.uniform([0.1, 1.0, 0.0], [10.0, 20.0, 3.0], (40, 3))
    return from_arrays(X, 6.283 * np.sqrt(X[:, 0] / X[:, 1]), names=["L", "g", "theta"], target="T", units={"L": "m"})


def examine(path: Path, number: int, data: Dataset | None, tally: Tally) -> None:
    """Load the file, and lint it when ``data`` is given; what goes wrong is noted."""
    formula = parse("sqrt(L/g)*sin(theta)**2 + tan(L)")
    start = time.process_time()
    try:
        k = Knowledge.load(path)
    except KnowledgeError as error:
        problems = getattr(error, "problems", ())
        tally.problems += len(problems)
        place = re.compile(re.escape(str(path)) + r":\d+: .{8,}")
        if not problems or not all(
            place.match(p) and len(p) < len(str(path)) + 1000 and "\n" not in p for p in problems
        ):
            tally.failures.append(("message", number, str(error)[:300]))
    except Exception as error:
        tally.failures.append(("exception", number, f"{type(error).__name__}: {error}"[:300]))
    else:
        tally.loaded += 1
        try:
            if Knowledge.from_dict(k.as_dict(), source=k.source) != k:
                tally.failures.append(("round trip", number, ""))
            k.violations(formula, "T")
            k.prior_cost(formula)
        except Exception as error:
            tally.failures.append(("use", number, f"{type(error).__name__}: {error}"[:300]))
    if data is not None:
        tally.linted += 1
        try:
            findings = lint(path, data)
            # What the file does not speak of has no line.
            spoken = path.read_text(encoding="utf-8", errors="replace")
            if any(not f.message or (f.line is None and f.message.split()[0].strip("[]:") in spoken) for f in findings):
                tally.failures.append(("finding", number, ""))
        except Exception as error:
            tally.failures.append(("lint", number, f"{type(error).__name__}: {error}"[:300]))
    took = time.process_time() - start
    tally.slowest = max(tally.slowest, took)
    if took > LIMIT:
        tally.failures.append(("slow", number, f"{took:.2f} s"))


def fuzz(files: int, seed: int = 0, kept: Path | None = None, watch: Watch | None = None) -> Tally:
    """The tally of ``files`` mutated files; those that fail are written to the folder ``kept``."""
    tally, data = Tally(), table()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "K.toml"
        warm = Tally()
        for text in (*SEEDS, '[units]\nL = "metr"\n', '[[rule]]\nkind = "nothing"\n', "x ="):
            path.write_text(text, encoding="utf-8")
            examine(path, -1, data, warm)
        # Modules and the unit registry are loaded on first use, which takes its time.
        refused = [failure for failure in warm.failures if failure[0] != "slow"]
        if refused or warm.loaded < len(SEEDS):
            raise RuntimeError(f"the valid files are refused: {refused}")
        for number in range(files):
            rng = random.Random(f"{seed}/{number}")
            raw = mutated(rng, rng.choice(SEEDS))
            path.write_bytes(raw)
            before = len(tally.failures)
            with watch or nullcontext():
                examine(path, number, data if number % 10 == 0 else None, tally)
            if watch is not None and watch.seen:
                tally.failures.append(("code", number, str(dict(watch.seen))))
            if len(tally.failures) > before and kept is not None:
                (kept / f"failed_{number}.toml").write_bytes(raw)
            tally.files += 1
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the summary as JSON")
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    options = parser.parse_args()
    start = time.perf_counter()
    tally = fuzz(options.files, options.seed, options.keep, Watch())
    kinds = Counter(kind for kind, _, _ in tally.failures)
    summary = {
        "files": tally.files,
        "seed": options.seed,
        "loaded": tally.loaded,
        "refused": tally.files - tally.loaded,
        "problems": tally.problems,
        "linted": tally.linted,
        "slowest_s": round(tally.slowest, 4),
        "seconds": round(time.perf_counter() - start, 1),
        "failures": dict(kinds),
    }
    print(
        f"{tally.files} files: {tally.loaded} loaded, {tally.files - tally.loaded} refused with {tally.problems} messages; "
        f"slowest {tally.slowest * 1000:.0f} ms; {len(tally.failures)} failures {dict(kinds) or ''}".rstrip()
    )
    for kind, number, detail in tally.failures[:20]:
        print(f"  {kind} in file {number}: {detail}")
    if options.out is not None:
        options.out.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    else:
        print(json.dumps(summary))
    return min(1, len(tally.failures))


if __name__ == "__main__":
    sys.exit(main())
