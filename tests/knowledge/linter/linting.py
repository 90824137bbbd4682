"""What the linter says of a file, without its folder."""

from __future__ import annotations

from pathlib import Path

from hypo.data import Dataset
from hypo.knowledge import lint
from tests.oracles.knowledge_files import write


def found(tmp_path: Path, text: str, dataset: Dataset | None = None) -> list[str]:
    path = write(tmp_path, text)
    return [str(f).replace(f"{path}:", "K:") for f in lint(path, dataset)]
