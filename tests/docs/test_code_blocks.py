"""Every code block of the README and of the documentation, run page by page in a folder of its own.

The first word after the fence says what a block is:

- ``python`` runs with what the blocks before it on the page left; a ``text`` block after it is what it prints;
- ``console`` holds ``$ hypo …`` lines and what each prints on standard output, or on both where it ends with an error;
- any word with ``title="NAME"`` is a file that later blocks read; ``pyproject.toml`` installs the package that it names;
- ``math`` is a formula.

Printed text is compared without regard to blanks and line breaks, numbers to 2 %, and ``…`` stands for anything. The comment
``<!-- skip: next "reason" -->`` before a block leaves it out.
"""

import contextlib
import io
import math
import re
import shlex
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest

import latex2mathml.converter
import pytest
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from hypo.cli.main import main
from tests.oracles.installed import install

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
INFO = re.compile(r"(?P<info>[^\n]*)\n")
TITLE = re.compile(r'\w+ title="([^"/]+)"')
TOKEN = re.compile(r"…|\d+(?:\.\d+)?(?:e[+-]?\d+)?|[^\W\d]+|[^\w\s]")
TOLERANCE = 0.02
PRINTED = "_printed"
run_python = PythonEvaluator()


def read_blocks(document: Document) -> Iterable[Region]:
    """Every fenced block of a page, whatever it is."""
    for region in RawFencedCodeBlockLexer(INFO)(document):
        region.parsed = region.lexemes["source"]
        region.evaluator = run_block
        yield region


def run_block(example: Example) -> None:
    info = example.region.lexemes["info"].strip()
    kind = info.partition(" ")[0]
    file = TITLE.fullmatch(info)
    if file is not None:
        Path(file[1]).write_text(example.parsed, encoding="utf-8")
        project = tomllib.loads(example.parsed)["project"] if file[1] == "pyproject.toml" else {}
        if "name" in project:
            install_package(project)
    elif info == "python":
        with contextlib.redirect_stdout(io.StringIO()) as out:
            run_python(example)
        example.namespace[PRINTED] = out.getvalue()
    elif info == "text":
        require_alike(example.namespace.pop(PRINTED), example.parsed)
    elif info == "console":
        for command, expected in split_commands(example.parsed):
            run_command(command, expected)
    elif info == "math":
        # A command that it does not know stays as it is, with its backslash.
        assert "\\" not in latex2mathml.converter.convert(example.parsed)
    else:
        pytest.fail(f"{example.path}:{example.line}: no test knows what to do with a block of {kind or 'no kind'}")


def install_package(project: Mapping[str, Any]) -> None:
    """Let Python find the entry points of a package whose modules stand in the page's folder, as an installation does."""
    site = Path(f"{project['name']}-site").absolute()
    install(site, project["name"], project["version"], project["entry-points"])
    sys.path.insert(0, str(site))


def split_commands(block: str) -> Iterable[tuple[list[str], str]]:
    """Each command of a block with what it prints; a line that ends with a backslash goes on in the next."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.replace("\\\n", " ").partition("\n")
        yield shlex.split(command, comments=True), output


def run_command(command: Sequence[str], expected: str) -> None:
    assert command[0] == "hypo", f"only commands of hypo are run, not {command[0]}"
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as errors:
        code = main(command[1:])
    assert code == 0 or "error:" in expected, errors.getvalue()
    require_alike(out.getvalue() + (errors.getvalue() if code else ""), expected)


def require_alike(printed: str, expected: str) -> None:
    """Compare token by token; each ``…`` lets the printed text run on to where what follows it stands."""
    if not expected.strip():
        return
    found = TOKEN.findall(printed)
    first, *others = split_at_ellipses(TOKEN.findall(expected))
    assert starts_with(found, first), describe_difference(printed, expected)
    at = len(first)
    for number, part in enumerate(others, start=1):
        is_last = number == len(others)
        places = range(at, len(found) - len(part) + 1)
        at = next((i for i in (reversed(places) if is_last else places) if starts_with(found[i:], part)), -1)
        assert at >= 0, describe_difference(printed, expected)
        at += len(part)
    assert at == len(found) or (others and not others[-1]), describe_difference(printed, expected)


def split_at_ellipses(tokens: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == "…":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def starts_with(found: Sequence[str], expected: Sequence[str]) -> bool:
    return len(found) >= len(expected) and all(map(are_alike, found, expected))


def are_alike(one: str, other: str) -> bool:
    if one[0].isdigit() and other[0].isdigit():
        return math.isclose(float(one), float(other), rel_tol=TOLERANCE)
    return one == other


def describe_difference(printed: str, expected: str) -> str:
    return f"the page says\n{expected}\nbut this is printed:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_code_blocks_run_and_print_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    # Modules that a page writes are found from the folder, as a script's are.
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    Path("datasets").symlink_to(REPOSITORY / "datasets")
    for example in Sybil([read_blocks, SkipParser()]).parse(page).examples():
        with contextlib.suppress(SkipTest):
            example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_blocks_that_are_left_out_have_a_reason(page: Path) -> None:
    skips = re.findall(r"<!-- *skip: *(.*?) *-->", page.read_text(encoding="utf-8"))
    assert all(re.fullmatch(r'next "\w[^"]{10,}"', skip) for skip in skips)


@pytest.mark.parametrize(
    ("printed", "expected", "alike"),
    [
        ("y = 2.00*x\nin all, 3 rows", "y = 2.01*x in all, 3 rows", True),
        ("y = 2.00*x", "y = 2.10*x", False),
        ("y = 2.00*x", "y = 2.00*z", False),
        ("a b c d", "a … d", True),
        ("a b c d", "a … c", False),
        ("a b c d", "… c …", True),
        ("a b", "a b c", False),
        ("a b c", "a b", False),
        ("a b c", "a b …", True),
        ("a d d", "a … d", True),
    ],
)
def test_printed_text_is_compared_in_what_it_says(printed: str, expected: str, alike: bool) -> None:
    if alike:
        require_alike(printed, expected)
    else:
        with pytest.raises(AssertionError):
            require_alike(printed, expected)
