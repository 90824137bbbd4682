"""Where a table comes from: a text file, standard input, or a file that pandas reads; as lines of text in any case."""

from __future__ import annotations

import csv
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypo.errors import DataError, MissingExtraError

STANDARD_INPUT = "-"
# Files that pandas reads, by their ending, and the package that does the work.
SHEETS = {".xlsx": "openpyxl", ".xlsm": "openpyxl", ".xls": "xlrd", ".xlsb": "pyxlsb", ".ods": "odfpy"}
COLUMN_FILES = {".parquet": "pyarrow", ".pq": "pyarrow", ".feather": "pyarrow"}


@dataclass(frozen=True)
class OpenedTable:
    """A table as text: ``name`` for messages; ``content`` where the text is not in the file ``name`` itself. ``separator`` and
    ``header`` are known of some: what separates columns, and that the first line names them. ``notes`` say what was read."""

    name: str
    encoding: str
    content: str | bytes | None = None
    separator: str | None = None
    header: bool | None = None
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The lines, each with its end."""
        if isinstance(self.content, str):
            yield from io.StringIO(self.content, newline=None)
            return
        # Bytes that are not UTF-8 matter only where text is shown.
        errors = "surrogateescape" if self.encoding.startswith("utf-8") else "replace"
        if self.content is not None:
            yield from io.TextIOWrapper(io.BytesIO(self.content), encoding=self.encoding, errors=errors)
            return
        with open(self.name, encoding=self.encoding, errors=errors) as file:
            yield from file


def open_table(path: str | os.PathLike[str]) -> OpenedTable:
    """The table at ``path``, or on standard input for ``-``.

    Raises DataError for a file that cannot be opened or is binary, MissingExtraError where pandas lacks what reads it.
    """
    name = os.fspath(path)
    if name == STANDARD_INPUT:
        content = _read_standard_input()
        return OpenedTable("standard input", _find_encoding("standard input", content[:65536]), content)
    suffix = Path(name).suffix.lower()
    head = _read_head(name)
    if head and suffix in SHEETS:
        return _read_sheet(name, SHEETS[suffix])
    if head and suffix in COLUMN_FILES:
        return _read_columns(name, suffix, COLUMN_FILES[suffix])
    return OpenedTable(name, _find_encoding(name, head))


def _read_head(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            return file.read(65536)
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file; check the path") from None
    except IsADirectoryError:
        raise DataError(f"{name}: this is a directory; give the path of a file in it") from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise DataError(f"{name}: the file cannot be opened ({reason}); check the path") from None


def _find_encoding(name: str, head: bytes) -> str:
    what = name if name == "standard input" else "the file"
    if not head:
        raise DataError(f"{name}: {what} is empty; expected a table with columns of numbers")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in head or head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"%PDF")):
        endings = {b"PK\x03\x04": ".xlsx or .ods", b"PAR1": ".parquet", b"\xd0\xcf\x11\xe0": ".xls"}.get(head[:4])
        more = f" (a spreadsheet or Parquet file is read if its name ends in {endings})" if endings else ""
        raise DataError(f"{name}: this is a binary file; expected text, so save the table as CSV{more}")
    return "utf-8-sig"


_read: tuple[Any, bytes] | None = None


def _read_standard_input() -> bytes:
    """All of standard input, which can be read only once."""
    global _read
    if _read is None or _read[0] is not sys.stdin:
        stream: Any = sys.stdin
        if stream is None:
            raise DataError("standard input: it is closed; give the path of a file")
        content = stream.buffer.read() if hasattr(stream, "buffer") else stream.read().encode()
        _read = (stream, content)
    return _read[1]


def _read_sheet(name: str, engine: str) -> OpenedTable:
    """The first sheet of a spreadsheet, one line for each row."""
    import pandas

    with _translate_errors(name, "spreadsheets of this kind", engine), pandas.ExcelFile(name) as book:
        sheets = [str(sheet) for sheet in book.sheet_names]
        frame = pandas.read_excel(book, header=None, dtype=object, keep_default_na=False)
    notes: tuple[str, ...] = ()
    if len(sheets) > 1:
        others = ", ".join(f'"{sheet}"' for sheet in sheets[1:6]) + (" and more" if len(sheets) > 6 else "")
        notes = (f'the first sheet, "{sheets[0]}", was read, and not {others}',)
    return _write_table(name, [], frame, None, notes)


def _read_columns(name: str, suffix: str, engine: str) -> OpenedTable:
    """A file that pandas reads as a data frame, with a line of headers before its rows."""
    import pandas

    with _translate_errors(name, f"{suffix.lstrip('.').capitalize()} files", engine):
        frame = pandas.read_feather(name) if suffix == ".feather" else pandas.read_parquet(name)
    return _write_table(name, [[str(column) for column in frame.columns]], frame, True, ())


@contextmanager
def _translate_errors(name: str, files: str, engine: str) -> Iterator[None]:
    """Within, what pandas lacks or cannot read becomes one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and charts that are not kept
            yield
    except ImportError:
        raise MissingExtraError(
            f"{name}: {files} are read with the package {engine}, which is not installed: pip install {engine}"
        ) from None
    except Exception as error:
        line = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(f"{name}: the file cannot be read ({line}); save the table as CSV") from None


def _write_table(
    name: str, above: list[list[str]], frame: Any, header: bool | None, notes: tuple[str, ...]
) -> OpenedTable:
    """The rows ``above`` and those of a frame as text with commas; columns without any cell are left out, empty rows blank."""
    columns = [[_write_cell(value) for value in frame.iloc[:, k]] for k in range(frame.shape[1])]
    kept = [k for k, cells in enumerate(columns) if above or any(cell != "" for cell in cells)]
    rows = [[row[k] for k in kept] for row in above] + [
        list(row) for row in zip(*(columns[k] for k in kept), strict=True)
    ]
    stream = io.StringIO()
    # In quotation marks a text that begins with # is no comment.
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    for row in rows:
        if any(cell != "" for cell in row):
            writer.writerow(row)
        else:
            stream.write("\n")
    if not any(any(cell != "" for cell in row) for row in rows):
        raise DataError(f"{name}: the file is empty; expected a table with columns of numbers")
    return OpenedTable(name, "utf-8", stream.getvalue(), ",", header, notes)


def _write_cell(value: Any) -> Any:
    """A cell as it is written: numbers as they are, truth values as 1 and 0, nothing where missing, else text on one line."""
    import numpy as np
    import pandas

    if isinstance(value, bool | np.bool_):
        return int(value)
    if value is None or value is pandas.NA or value is pandas.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    return " ".join(str(value).split())
