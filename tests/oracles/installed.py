"""Packages that count as installed, without an installer."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, name: str, version: str, groups: Mapping[str, Mapping[str, str]]) -> None:
    """Write into a folder of ``sys.path`` what an installer leaves of a package: its name, and its entry points by group."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    config = configparser.ConfigParser()
    # Names of entry points may have capitals.
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read_dict(groups)
    with (info / "entry_points.txt").open("w", encoding="utf-8") as file:
        config.write(file)
