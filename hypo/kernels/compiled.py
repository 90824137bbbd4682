"""The one way by which kernels are compiled, and where their machine code is kept from one process to the next.

A kernel inlines others, so its code depends on all their sources. numba looks at the function's own file only; therefore all
code lies in one folder named after a digest of everything it depends on: the sources of all kernels, the versions of Python,
numba, LLVM and NumPy, and the processor. When the sources change a new folder is begun, and the old one removed.

Processes that compile at the same time do not repeat each other's work: who needs what another is compiling waits for it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from numba.core import caching
from numba.misc.appdirs import AppDirs

from hypo.kernels import turns

HERE = Path(__file__).parent
SETTINGS: Any = numba.config
PREFIX = "compiled-"
# A folder of other versions or of another processor may be in use from elsewhere; after so many seconds it is not.
UNUSED = 30 * 86400.0
# The file in a folder that tells that all is compiled.
COMPLETE = "complete"

NAMES: set[str] = set()
"""How the files of the processor's kernels begin, as far as they have been imported."""


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: a function compiled by numba with these options, and kept."""

    def compiled(function: Callable[..., Any]) -> Any:
        return kept(numba.njit(**options)(function), caching.FunctionCache)

    return compiled


def inner(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: a kernel that allocates nothing, compiled without counting references to arrays: a count at each call costs
    more than many of them do, and half as long again to compile."""
    return kernel(_nrt=False, **options)


def kept(dispatcher: Any, numbas: type) -> Any:
    """The compiled function, its machine code kept in the folder of this version by a cache of the kind ``numbas``."""
    if place() is not None and hasattr(dispatcher, "enable_caching"):
        dispatcher._cache = _kind(numbas)(dispatcher.py_func)
    return dispatcher


# --- the folder ---------------------------------------------------------------------------------------------------


def sources() -> str:
    """A digest of the sources of all kernels as they are now."""
    digest = hashlib.sha256()
    for path in sorted(HERE.rglob("*.py")):
        digest.update(path.relative_to(HERE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _surroundings() -> str:
    """A digest of all else that machine code depends on."""
    features = llvmlite.binding.get_host_cpu_features().flatten()
    processor = (llvmlite.binding.get_host_cpu_name(), features, SETTINGS.CPU_NAME, SETTINGS.CPU_FEATURES, SETTINGS.OPT)
    versions = (sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    return hashlib.sha256(repr((processor, versions)).encode()).hexdigest()[:8]


def _parents() -> Iterator[Path]:
    """Where folders may lie, the best first: where the user wants them, beside the sources, in the user's cache."""
    own = f"kernels-{hashlib.sha256(str(HERE.resolve()).encode()).hexdigest()[:16]}"
    if SETTINGS.CACHE_DIR:
        yield Path(SETTINGS.CACHE_DIR) / own
    yield HERE / "__pycache__"
    yield Path(AppDirs(appname="hypo", appauthor=False).user_cache_dir) / own


@cache
def place() -> Path | None:
    """The folder of this version, made where it is missing; None where nothing can be written and so nothing is kept."""
    for parent in _parents():
        folder = parent / f"{PREFIX}{_surroundings()}-{sources()}"
        with suppress(OSError):
            _begin(folder)
            # Whether it can be written is seen by writing.
            (folder / "used").touch()
            return folder
        # What an administrator has compiled is good for all.
        if (folder / COMPLETE).exists():
            return folder
    return None


def _begin(folder: Path) -> None:
    """Make the folder; where there was none, those of other versions go."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return
    remove_old(folder)


def remove_old(folder: Path) -> None:
    """Remove what was compiled from other sources, and what other versions or processors have not used for long.

    A process that still runs on old sources goes on with what it has loaded, and compiles the rest for itself.
    """
    # numba's own files, from before kernels had folders.
    for loose in folder.parent.glob("*.nb[ci]"):
        with suppress(OSError):
            loose.unlink()
    mine = folder.name.rpartition("-")[0]
    for other in folder.parent.glob(f"{PREFIX}*"):
        if other == folder:
            continue
        with suppress(OSError):
            stale = other.name.rpartition("-")[0] == mine
            if stale or time.time() - (other / "used").stat().st_mtime > UNUSED:
                shutil.rmtree(other, ignore_errors=True)


# --- numba's cache, in this folder ----------------------------------------------------------------------------------


class _Place:
    """The answers to numba about one function: where its code lies, and of what it was made."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._line = function.__code__.co_firstlineno
        self._py_file = function.__code__.co_filename

    def ensure_cache_path(self) -> None:
        folder = self.get_cache_path()
        if not folder.exists():
            # Removed as the sources changed under a running process: what it compiles now is of no use to others.
            raise OSError(f"{folder} has been removed")

    def get_cache_path(self) -> Path:
        folder = place()
        assert folder is not None
        return folder

    def get_source_stamp(self) -> str:
        return _stamp(self._py_file)

    def get_disambiguator(self) -> str:
        return str(self._line)


@cache
def _stamp(path: str) -> str:
    """A digest of one file as it was when its functions were made, which may be after the folder was named."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class _OneEach:
    """A file of its own for each signature, so that processes that compile at once do not write to one index."""

    def __init__(self, of: Callable[[str], Any]) -> None:
        self._of = of

    def _file(self, key: Any) -> Any:
        return self._of(_short(key))

    def load(self, key: Any) -> Any:
        # What cannot be read, cut short by a full disk, say, is compiled again.
        with suppress(OSError, EOFError):
            return self._file(key).load(key)
        return None

    def save(self, key: Any, data: Any) -> None:
        self._file(key).save(key, data)

    def flush(self) -> None:
        raise NotImplementedError("the folder of a version is removed as a whole")


def _short(key: Any) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()[:16]


@cache
def _kind(numbas: Any) -> type:
    """A cache like numba's, but in the folder of this version."""

    class Impl(numbas._impl_class):
        def __init__(self, function: Callable[..., Any]) -> None:
            self._lineno = function.__code__.co_firstlineno
            self._locator = _Place(function)
            name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
            self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))

    class Kept(numbas):
        _impl_class = Impl

        def __init__(self, function: Callable[..., Any]) -> None:
            super().__init__(function)
            plain: Any = self._cache_file
            file, folder, base = type(plain), str(self._cache_path), self._impl.filename_base
            stamp = self._impl.locator.get_source_stamp()
            self._cache_file: Any = _OneEach(lambda key: file(folder, f"{base}-{key}", stamp))

        def save_overload(self, sig: Any, data: Any) -> None:
            # Without room on the disk, or once the folder is gone, code is not kept.
            with suppress(OSError):
                super().save_overload(sig, data)

    class InTurn(Kept):
        """One that other processes wait for."""

        def __init__(self, function: Callable[..., Any]) -> None:
            super().__init__(function)
            NAMES.add(self._impl.filename_base)

        def load_overload(self, sig: Any, context: Any) -> Any:
            found = super().load_overload(sig, context)
            if found is None:
                turns.take(self.lock(sig))
                # Another process may have compiled it meanwhile.
                found = super().load_overload(sig, context)
                if found is not None:
                    turns.give_back(self.lock(sig))
            return found

        def save_overload(self, sig: Any, data: Any) -> None:
            super().save_overload(sig, data)
            turns.give_back(self.lock(sig))

        def lock(self, sig: Any) -> Path:
            """The lock that is held by whoever compiles for a signature."""
            return self._cache_path / f"{self._impl.filename_base}-{_short(sig)}.lock"

    return InTurn if numbas is caching.FunctionCache else Kept
