"""References of docstrings, comments and pages to modules, definitions and files of the package lead somewhere."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hypo

REPOSITORY = Path(hypo.__file__).parent.parent
# Modules that cannot be imported without a GPU: their definitions are looked for in their text.
NEED_A_GPU = ("hypo.kernels.gpu", "hypo.search.gpu")
REFERENCE = re.compile(r":(?:mod|func|class|meth|data|attr|exc|obj):`(?:[^`<]*<)?~?(hypo(?:\.\w+)*)>?`")
FILE = re.compile(r"(?<![\w/.-])(?:hypo|tests|benchmarks|examples)/[\w/]+\.(?:py|md|toml|csv)\b")
DOTTED = re.compile(r"(?<![\w./-])hypo(?:\.[a-z_]\w*){2,}(?:\.[A-Za-z_]\w*)*")


def sources() -> list[Path]:
    return sorted(path for folder in ("hypo", "tests", "benchmarks") for path in (REPOSITORY / folder).rglob("*.py"))


def pages() -> list[Path]:
    return sorted([*(REPOSITORY / "docs").rglob("*.md"), *REPOSITORY.glob("*.md")])


def is_there(name: str) -> bool:
    """True if ``name`` is a module of the package, or a definition of one."""
    if name.startswith(NEED_A_GPU):
        return is_in_text(name)
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return has_field(name)
    return True


def has_field(name: str) -> bool:
    """True if ``name`` is a field without a default, which a class has as an annotation only."""
    owner, _, field = name.rpartition(".")
    try:
        found = pkgutil.resolve_name(owner)
    except (ImportError, AttributeError, ValueError):
        return False
    return field in getattr(found, "__annotations__", ())


def is_in_text(name: str) -> bool:
    """True if the module that ``name`` begins with defines its last part."""
    parts = name.split(".")
    for n in range(len(parts), 1, -1):
        place = REPOSITORY.joinpath(*parts[:n])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.exists():
                text = path.read_text(encoding="utf-8")
                return (
                    n == len(parts)
                    or re.search(rf"^\s*(?:def|class) {parts[-1]}\b|^{parts[-1]}\b", text, re.M) is not None
                )
    return False


def find(pattern: re.Pattern[str], paths: list[Path]) -> Iterator[tuple[str, str]]:
    """What ``pattern`` finds, each with its place."""
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for match in pattern.finditer(line):
                yield f"{path.relative_to(REPOSITORY)}:{number}", match[match.lastindex or 0]


def test_roles_of_docstrings_name_definitions() -> None:
    found = list(find(REFERENCE, [*sources(), *pages()]))
    assert len(found) > 200
    assert [f"{place}: {name}" for place, name in found if not is_there(name)] == []


def test_names_of_pages_are_those_of_modules() -> None:
    # Groups of entry points have names of their own.
    groups = {"hypo.rules", "hypo.likelihoods", "hypo.operators", "hypo.proposers"}
    found = [(place, name) for place, name in find(DOTTED, pages()) if name not in groups]
    assert len(found) > 3
    assert [f"{place}: {name}" for place, name in found if not is_there(name)] == []


def test_files_that_are_named_are_there() -> None:
    found = list(find(FILE, [*sources(), *pages()]))
    assert len(found) > 10
    assert [f"{place}: {name}" for place, name in found if not (REPOSITORY / name).exists()] == []


@pytest.mark.parametrize(
    "name", ["hypo.search.scan", "hypo.fit", "hypo.kernels.gpu.pair_scan", "hypo.data.dataset.Dataset"]
)
def test_what_is_there_is_found(name: str) -> None:
    assert is_there(name)


@pytest.mark.parametrize(
    "name", ["hypo.search.observed", "hypo.fits", "hypo.kernels.gpu.scan", "hypo.kernels.gpu.evaluate.no"]
)
def test_what_is_not_there_is_not_found(name: str) -> None:
    assert not is_there(name)
