"""Where models are written: a folder tried before the work, and another one where that fails after it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hypo.data.opening import STANDARD_INPUT
from hypo.dynamics.model.saving.file import MODEL_FILE
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.report.json_record import to_json
from hypo.dynamics.report.page import REPORT_FILE
from hypo.errors import HypoError, InputError
from hypo.failures import Failures
from hypo.result.folders import Place, as_folder, write_text

# The file that makes a folder one of a model: the laws and all that is said of them, as --json prints it.
RECORD_FILE = "dynamics.json"
PLOT_FILE = "plot.png"


def holds_model(folder: str | os.PathLike[str]) -> bool:
    """True where there is a world model in a folder."""
    return (Path(folder) / MODEL_FILE).is_file()


@dataclass
class ModelFolder(Place):
    """The folder that a model goes to.

    ``plot`` asks for a picture beside the report; ``status`` is what the record says of the search, ``written`` are the names
    of the files.
    """

    noun: ClassVar[str] = "model"
    known_by: ClassVar[str] = RECORD_FILE
    by_option: ClassVar[str] = "--overwrite"

    plot: bool = False
    status: str = "finished"
    written: tuple[str, ...] = ()

    @staticmethod
    def of(data: str, out: str | None, overwrite: bool) -> ModelFolder:
        """The folder ``out``, by default one with the name of the table; raises InputError where nothing can be written."""
        name = "data" if data == STANDARD_INPUT else Path(data).stem or "data"
        folder = Path("hypo-out") / f"{name}-dynamics" if out is None else as_folder(out)
        place = ModelFolder(folder, named=out is not None, overwrite=overwrite)
        place.check()
        return place

    @staticmethod
    def beside(shards: Sequence[str], out: str, overwrite: bool) -> ModelFolder:
        """The folder ``out`` of a model that is merged from those in others; raises InputError where it is one of these, or
        nothing can be written there."""
        if any(os.path.abspath(folder) == os.path.abspath(out) for folder in shards):
            raise InputError(f"{out} holds one of the shards; write the merged model to another folder")
        return ModelFolder.of("", out, overwrite)

    def read_checksum(self) -> str | None:
        """That of the model in the folder; None where it cannot be read."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads((self.folder / RECORD_FILE).read_text(encoding="utf-8"))["manifest"]["data_sha256"]
            return found if isinstance(found, str) else None
        return None

    def save(self, found: WorldModel, folder: Path) -> None:
        """Write a model, its record and its report."""
        folder.mkdir(parents=True, exist_ok=True)
        found.save(folder)
        self._add(RECORD_FILE, lambda path: write_text(path, to_json(found, self.status)), folder)
        self._add(REPORT_FILE, found.report, folder)
        if self.plot:
            self._add(PLOT_FILE, found.plot, folder)
        self.written = tuple(sorted(p.name for p in folder.iterdir() if p.is_file()))

    def _write_there(self, found: WorldModel) -> None:
        # The data are read by the search, so that they are known only now.
        self.settle(found.data.sha256)
        super()._write_there(found)

    def _add(self, name: str, write: Callable[[Path], Any], folder: Path) -> None:
        """Have ``write`` make a file; where that fails, a note says so: the model itself is there."""
        failures = Failures()
        try:
            with failures.guarded(name, OSError):
                write(folder / name)
            reasons = [f"{f.error}, in {f.where}" for f in failures.found]
        except (OSError, HypoError) as error:
            if name == RECORD_FILE:
                raise
            reasons = [str(error)]
        if reasons:
            # Nothing of an earlier model stays beside this one.
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        self.notes += [f"{name} was not written: {reason}" for reason in reasons]
