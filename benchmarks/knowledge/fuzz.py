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
from mutations import SEEDS, mutate

from hypo.data import Dataset, from_arrays
from hypo.errors import KnowledgeError
from hypo.expression.parser import parse
from hypo.knowledge import Knowledge, lint

LIMIT = 1.0
"""Seconds that one file may take, of this process's time."""


@dataclass
class Tally:
    """The counts of what became of the files; ``failures`` holds (kind of failure, the file's number, detail)."""

    files: int = 0
    loaded: int = 0
    problems: int = 0
    linted: int = 0
    slowest: float = 0.0
    failures: list[tuple[str, int, str]] = field(default_factory=list)


# Events of the audit hook that no file may cause.
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
            raw = mutate(rng, rng.choice(SEEDS))
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
    """Fuzz, print the counts, write them as JSON; the number of failures, at most 1."""
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
