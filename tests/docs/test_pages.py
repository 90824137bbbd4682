"""The pages and the files beside them: pictures are small and described, links lead somewhere, versions agree."""

import re
import tomllib
from pathlib import Path

import pytest

import hypo

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
PICTURES = sorted((DOCS / "pictures").iterdir())
# Bytes: a page with a few of them opens at once, and a checkout stays small.
LARGEST_PICTURE = 60_000
# Characters of the text that stands for a picture where it cannot be seen.
SHORTEST_DESCRIPTION = 40
LONGEST_README = 130
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)")
# Pages that are made from the code when the documentation is built.
GENERATED = {"commands.md", "settings.md", "rules.md", "operators.md", "datasets.md", "api.md", "lab.ipynb"}


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_pictures_are_small_and_used(picture: Path) -> None:
    assert picture.stat().st_size < LARGEST_PICTURE
    assert any(picture.name in page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_pictures_are_described_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for description, target in IMAGE.findall(text):
        assert len(description) >= SHORTEST_DESCRIPTION
        assert (page.parent / target).is_file()
    for target in LINK.findall(text):
        place = page.parent / target
        assert "://" in target or place.name in GENERATED or place.exists(), target


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README


def test_the_citation_names_this_version() -> None:
    assert f"version: {hypo.__version__}\n" in (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")


def test_the_map_names_every_package_in_the_order_of_the_contract() -> None:
    """So that a newcomer finds each; single modules share a line."""
    text = (DOCS / "contributing.md").read_text(encoding="utf-8")
    packages = {folder.parent.name for folder in (REPOSITORY / "hypo").glob("*/__init__.py")}
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in settings["tool"]["importlinter"]["contracts"] if c.get("containers") == ["hypo"])
    layers = [name for layer in contract["layers"] for name in re.findall(r"\w+", layer)]
    assert re.findall(r"^\| `hypo/(\w+)`", text, re.MULTILINE) == [name for name in layers if name in packages]
