"""Where models are written: a folder tried before the work, and another one where that fails after it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypo.data.opening import STANDARD_INPUT
from hypo.dynamics.model.saving.file import MODEL_FILE
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.report.json_record import to_json
from hypo.dynamics.report.page import REPORT_FILE
from hypo.errors import HypoError, InputError
from hypo.failures import Failures
from hypo.result.folders import as_folder, check_folder, write_text

# The file that makes a folder one of a model: the laws and all that is said of them, as --json prints it.
RECORD_FILE = "dynamics.json"
PLOT_FILE = "plot.png"


def holds_model(folder: str | os.PathLike[str]) -> bool:
    """True where there is a world model in a folder."""
    return (Path(folder) / MODEL_FILE).is_file()


@dataclass
class ModelFolder:
    """The folder that a model goes to.

    ``named``: the user chose it. One that holds something else is refused then, and else given up for the first of FOLDER-2,
    FOLDER-3, … that does not. ``plot`` asks for a picture beside the report. ``notes`` are sentences, without full stops, on
    what did not go as was asked, and ``failed`` says that the model could not be written where it should; ``status`` is what
    the record says of the search, ``written`` are the names of the files.
    """

    folder: Path
    named: bool = True
    overwrite: bool = False
    plot: bool = False
    notes: list[str] = field(default_factory=list)
    failed: bool = False
    status: str = "finished"
    written: tuple[str, ...] = ()

    @staticmethod
    def of(data: str, out: str | None, overwrite: bool) -> ModelFolder:
        """The folder ``out``, by default one with the name of the table; raises InputError where nothing can be written."""
        name = "data" if data == STANDARD_INPUT else Path(data).stem or "data"
        folder = Path("hypo-out") / f"{name}-dynamics" if out is None else as_folder(out)
        check_folder(folder, RECORD_FILE)
        return ModelFolder(folder, named=out is not None, overwrite=overwrite)

    @staticmethod
    def beside(shards: Sequence[str], out: str, overwrite: bool) -> ModelFolder:
        """The folder ``out`` of a model that is merged from those in others; raises InputError where it is one of these, or
        nothing can be written there."""
        if any(os.path.abspath(folder) == os.path.abspath(out) for folder in shards):
            raise InputError(f"{out} holds one of the shards; write the merged model to another folder")
        return ModelFolder.of("", out, overwrite)

    def write(self, model: WorldModel) -> None:
        """Save the model; where that fails, among the system's temporary files, and a note says so."""
        try:
            self._settle(model.data.sha256)
            self._save(model, self.folder)
            return
        except (OSError, InputError) as error:
            self.failed, reason = True, str(error) or type(error).__name__
        try:
            self._save(model, Path(tempfile.mkdtemp(prefix="hypo-")))
            self.notes.append(f"{reason}; the model was saved to {self.folder} instead")
        except OSError:
            self.notes.append(f"{reason}; nor could it be saved to {tempfile.gettempdir()}")

    def _settle(self, sha256: str) -> None:
        """Give way to a model of other data in the folder; raises InputError where the user named it."""
        number, asked = 1, self.folder
        while not self.overwrite and self._holds_other_data(sha256):
            if self.named:
                raise InputError(
                    f"{asked} holds the model of other data: choose another folder, or have it overwritten (--overwrite)"
                )
            number += 1
            self.folder = asked.with_name(f"{asked.name}-{number}")
        if self.folder != asked:
            self.notes.append(f"{asked} holds the model of other data, so this one goes to {self.folder}")

    def _holds_other_data(self, sha256: str) -> bool:
        path = self.folder / RECORD_FILE
        if not path.is_file():
            return False
        try:
            return bool(json.loads(path.read_text(encoding="utf-8"))["manifest"]["data_sha256"] != sha256)
        except (OSError, ValueError, KeyError, TypeError):
            return True

    def _save(self, model: WorldModel, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        model.save(folder)
        write_text(folder / RECORD_FILE, to_json(model, self.status))
        self._add(REPORT_FILE, model.report, folder)
        if self.plot:
            self._add(PLOT_FILE, model.plot, folder)
        self.folder = folder
        self.written = tuple(sorted(p.name for p in folder.iterdir() if p.is_file()))

    def _add(self, name: str, write: Callable[[Path], Any], folder: Path) -> None:
        """Have ``write`` make a file; where that fails, a note says so: the model itself is there."""
        failures = Failures()
        try:
            with failures.guarded(name):
                write(folder / name)
            reasons = [f"{f.error}, in {f.where}" for f in failures.found]
        except (OSError, HypoError) as error:
            reasons = [str(error)]
        if reasons:
            # Nothing of an earlier model stays beside this one.
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        self.notes += [f"{name} was not written: {reason}" for reason in reasons]
