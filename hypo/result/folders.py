"""Where results are written: folders and files are tried before the work, and what cannot be written there is not lost."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import hypo
from hypo.errors import InputError
from hypo.failures import FAILURES_FILE, format_report
from hypo.result.file import RESULT_FILE, read_content

if TYPE_CHECKING:
    from hypo.result.result import Result

FRONT_FILE = "front.csv"
# Bytes that must be free where results go: more than nearly every one takes.
ROOM = 2_000_000


def as_folder(folder: Any) -> Path:
    """``folder`` as a path; raises InputError for what is none."""
    if not isinstance(folder, str | os.PathLike):
        raise InputError(f"a folder must be a path, such as results/first, got {folder!r:.40}")
    return Path(folder)


def check_folder(folder: str | os.PathLike[str], known_by: str = RESULT_FILE) -> Path:
    """``folder`` as a path, if results may be written there: it is new, empty, or holds an earlier result, ``known_by`` a file
    of this name, and a file can be made in it. Nothing is left behind.

    Raises InputError otherwise, so that nobody's files get mixed with ours and no work is lost.
    """
    path = as_folder(folder)
    with _translate_refusals(path):
        for link in (path, *path.absolute().parents):
            if link.is_symlink() and not link.exists():
                where = os.readlink(link)
                raise InputError(
                    f"{link} is a link to {where}, which is not there: make that folder, or choose another"
                )
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file, so results cannot be written there: choose another folder")
        if path.is_dir() and not (path / known_by).is_file() and any(path.iterdir()):
            what = "result" if known_by == RESULT_FILE else "such result"
            raise InputError(f"{path} holds files but no {what} of hypo: choose a new or empty folder")
        # A new folder is made in the first one above that exists.
        existing = next((p for p in (path, *path.absolute().parents) if p.exists()), path)
        if not existing.is_dir():
            raise InputError(f"{existing} is a file, so the folder {path} cannot be made: choose another folder")
        _try_writing(existing)
    return path


def read_checksum(folder: Path) -> str | None:
    """The checksum of the data of the result in ``folder``; None where it cannot be read."""
    try:
        manifest = read_content(folder / RESULT_FILE).get("manifest")
    except InputError:
        return None
    found = manifest.get("data_sha256") if isinstance(manifest, dict) else None
    return found if isinstance(found, str) else None


def check_file(out: str | os.PathLike[str] | None) -> None:
    """Raises InputError where ``out`` cannot be a file: before work that would be lost."""
    if out is None:
        return
    path = Path(out)
    if path.is_dir():
        raise InputError(f"cannot write to {out}: it is a folder; give the name of a file")
    with _translate_refusals(path):
        if not path.absolute().parent.is_dir():
            raise InputError(f"cannot write to {out}: No such file or directory")
        _try_writing(path.absolute().parent)


def save(result: Result, folder: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write ``result.json`` and ``front.csv``, and ``failures.txt`` where something failed.

    Raises InputError as :func:`check_folder` does, and where the folder holds the result of other data, unless that is to be
    overwritten.
    """
    folder = check_folder(folder)
    check_same_data(folder, result.record.data_sha256, overwrite)
    with _translate_refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
        texts = {RESULT_FILE: result.to_json(), FRONT_FILE: result.front_csv()}
        if result.failures:
            texts[FAILURES_FILE] = format_report(result.failures, hypo.__version__)
        with _write_drafts(folder, texts) as drafts:
            if not _try_placing_first(drafts[RESULT_FILE], folder / RESULT_FILE):
                # Another fit was faster.
                check_same_data(folder, result.record.data_sha256, overwrite)
            for name, draft in drafts.items():
                if draft.exists():
                    os.replace(draft, folder / name)
        if not result.failures:
            (folder / FAILURES_FILE).unlink(missing_ok=True)
    return folder


@contextmanager
def _write_drafts(folder: Path, texts: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """Files with these texts, to be renamed within; none of them stays."""
    drafts = {name: folder / f".{name}.{os.getpid()}.new" for name in texts}
    try:
        for name, draft in drafts.items():
            write_text(draft, texts[name])
        yield drafts
    finally:
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _try_placing_first(draft: Path, path: Path) -> bool:
    """True where ``draft`` is now at ``path``, where nothing was, or what is there may be looked at."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        return not path.exists()
    draft.unlink()
    return True


def check_same_data(folder: Path, sha256: str, overwrite: bool = False) -> None:
    """Raises InputError where ``folder`` holds a result of other data than those with the checksum ``sha256``, or one that
    cannot be read, unless it may be overwritten."""
    if overwrite or not (folder / RESULT_FILE).is_file():
        return
    known = read_checksum(folder)
    if known != sha256:
        raise Destination(folder).taken_error(known)


@dataclass
class Place(ABC):
    """The folder that something found goes to: tried before the work, written after it.

    ``named``: the user chose it; one that is taken by what was found in other data is refused then, and else given up for the
    first of FOLDER-2, FOLDER-3, … that is not. ``notes`` are sentences, without full stops, on what did not go as was asked,
    and ``failed`` says that nothing could be written where it should. What is found is called ``noun``, and a folder of it is
    known by the file ``known_by``; ``by_option`` says how it is overwritten.
    """

    noun: ClassVar[str]
    known_by: ClassVar[str]
    by_option: ClassVar[str]

    folder: Path
    named: bool = True
    overwrite: bool = False
    notes: list[str] = field(default_factory=list)
    failed: bool = False

    @abstractmethod
    def read_checksum(self) -> str | None:
        """The checksum of the data of what the folder holds; None where it cannot be read."""

    @abstractmethod
    def save(self, found: Any, folder: Path) -> None:
        """Write what was found to a folder."""

    def check(self) -> None:
        """Raises InputError where nothing could be written."""
        check_folder(self.folder, self.known_by)

    def settle(self, sha256: str) -> None:
        """The folder for what was found in the data with this checksum; raises InputError where there is none."""
        number, asked = 1, self.folder
        while not self.overwrite and (self.folder / self.known_by).is_file():
            known = self.read_checksum()
            if known == sha256:
                break
            if self.named:
                raise self.taken_error(known)
            number += 1
            self.folder = asked.with_name(f"{asked.name}-{number}")
        if self.folder != asked:
            self.check()
            self.notes.append(f"{asked} holds the {self.noun} of other data, so this one goes to {self.folder}")

    def taken_error(self, known: str | None) -> InputError:
        """That the folder is taken: by what was found in the data with the checksum ``known``, None where that is not read."""
        unread = f"{self.folder / self.known_by} cannot be read as a {self.noun} of hypo"
        what = unread if known is None else f"{self.folder} holds the {self.noun} of other data"
        return InputError(f"{what}: choose another folder, or have it overwritten ({self.by_option})")

    def write(self, found: Any) -> None:
        """Save what was found; where that fails, or the folder was taken meanwhile, among the system's temporary files, and a
        note says so. Raises nothing."""
        try:
            self._write_there(found)
            return
        except Exception as error:  # the answer is worth more than its file, whatever is wrong there
            self.failed, reason = True, str(error) or type(error).__name__
        try:
            with _make_temporary_folder() as folder:
                self.save(found, folder)
            self.folder = folder
            self.notes.append(f"{reason}; the {self.noun} was saved to {self.folder} instead")
        except Exception:  # as above
            self.notes.append(f"{reason}; nor could it be saved to {tempfile.gettempdir()}")

    def _write_there(self, found: Any) -> None:
        self.save(found, self.folder)

    @property
    def whereabouts(self) -> str:
        """Where it is, in words."""
        return "; ".join(self.notes) if self.failed else f"the {self.noun} is in {self.folder}"


@dataclass
class Destination(Place):
    """The folder that a result goes to."""

    noun: ClassVar[str] = "result"
    known_by: ClassVar[str] = RESULT_FILE
    by_option: ClassVar[str] = "--overwrite, in Python overwrite=True"

    def read_checksum(self) -> str | None:
        """That of the result in the folder; None where it cannot be read."""
        return read_checksum(self.folder)

    def save(self, found: Result, folder: Path) -> None:
        """Write a result."""
        save(found, folder, self.overwrite)


@contextmanager
def _make_temporary_folder() -> Iterator[Path]:
    """A new folder among the system's temporary files; where what stands within fails, nothing is left of it."""
    folder = Path(tempfile.mkdtemp(prefix="hypo-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_file(out: str | os.PathLike[str], text: str) -> None:
    """Write a file that the user named. Raises InputError where that fails, and says where the text is instead."""
    path = Path(out)
    try:
        check_file(out)
        with _translate_refusals(path):
            write_text(path, text)
    except InputError as error:
        with suppress(OSError):
            with _make_temporary_folder() as folder:
                other = folder / path.name
                write_text(other, text)
            raise InputError(f"{error}; it was saved as {other} instead") from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write a file in one step, so that a crash leaves the old content or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _try_writing(folder: Path) -> None:
    """Raises OSError where no file can be made in ``folder``, InputError where the disk is full."""
    with tempfile.TemporaryFile(dir=folder, prefix=".hypo-"):
        pass
    if shutil.disk_usage(folder).free < ROOM:
        raise InputError(f"cannot write to {folder}: the disk is full; make room, or choose another folder")


@contextmanager
def _translate_refusals(path: Path) -> Iterator[None]:
    """Raises InputError where the system refuses something within."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write to {path}: {error.strerror or error}; choose another place") from error
