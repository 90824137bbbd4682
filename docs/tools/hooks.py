"""Hooks that MkDocs calls while it builds: pages made from the code, formulas in MathML, a notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import reference
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": reference.write_commands,
    "reference/settings.md": reference.write_settings,
    "reference/rules.md": reference.write_rules,
    "reference/operators.md": reference.write_operators,
    "reference/datasets.md": reference.write_datasets,
    "reference/api.md": reference.write_names,
}
LAB_PAGE = "tutorial/notebook.md"
LAB_NOTEBOOK = "tutorial/lab.ipynb"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let blocks marked ``math`` be formulas: browsers draw MathML themselves, so no script is fetched."""
    formula = {"name": "math", "class": "formula", "format": to_mathml}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [formula]}
    return config


def to_mathml(source: str, *_: Any, **__: Any) -> str:
    """LaTeX as MathML, one formula a line."""
    return "".join(f"<p>{convert(line, display='block')}</p>" for line in source.splitlines())


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code, and the notebook."""
    for name, write in PAGES.items():
        files.append(File.generated(config, name, content=write()))
    page = files.get_file_from_path(LAB_PAGE)
    if page is not None:
        files.append(File.generated(config, LAB_NOTEBOOK, content=to_notebook(page.content_string)))
    return files


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Docstrings name things as Sphinx does, :func:`hypo.fit`; here only the name is left."""
    return re.sub(r":(?:func|class|mod|meth|attr):(<code>)~?", r"\1", html) if page.file.src_uri in PAGES else html


def to_notebook(page: str) -> str:
    """A page as a Jupyter notebook: its Python blocks are cells, what stands between them is text."""
    cells: list[dict[str, Any]] = []
    for number, part in enumerate(re.split(r"^```python\n(.*?)^```\n", page, flags=re.MULTILINE | re.DOTALL)):
        is_code = number % 2 == 1
        text = re.sub(r"<!--.*?-->|^```text\n.*?^```\n", "", part, flags=re.MULTILINE | re.DOTALL).strip()
        if text:
            cell: dict[str, Any] = {
                "cell_type": "code" if is_code else "markdown",
                "id": f"cell-{number}",
                "metadata": {},
            }
            cells.append(cell | {"source": text} | ({"outputs": [], "execution_count": None} if is_code else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, indent=1
    )
