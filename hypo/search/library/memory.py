"""A limit on memory: libraries grow no further than it allows.

Peak use is modelled from measurements (up to 120 000 members on 100 probe rows, 21 to 25 kB each): the process itself, a few
copies of the data, and for each member of the largest library its row in the libraries, views, unit rows and products
scanned at one time. Tiles of a scan are of fixed size. Members beyond those whose pairs are all scanned take their row in the
library, a record and their entries in the hash table; a limit that has room for them asks for them.
"""

from __future__ import annotations

from dataclasses import replace

from hypo.errors import InputError
from hypo.problem.problem import Problem, Settings

# Members whose pairs are all scanned; those beyond are streamed.
SCANNED = 120_000
# Bytes of the process (about half as many where kernels need not be compiled in it).
PROCESS = 800e6
# Copies of the data.
DATA_COPIES = 6
# Copies of a member's row.
ROW_COPIES = 32
# Other bytes of a member.
MEMBER = 6000
# Bytes of a streamed member besides its row.
STREAMED = 130
# Members of the largest libraries.
LARGEST = (1_000_000, 3_000_000, 10_000_000)


def within(problem: Problem, settings: Settings) -> Settings:
    """The settings with libraries that ``settings.max_memory`` has room for.

    Raises InputError when it has not even room for the smallest one.
    """
    if settings.max_memory is None:
        return settings
    base = PROCESS + DATA_COPIES * 8 * (problem.X.size + problem.y.size)
    each = ROW_COPIES * 8 * settings.n_probe + MEMBER
    most = int((settings.max_memory - base) / each)
    smallest = settings.library_sizes[0]
    if most < smallest:
        raise InputError(
            f"a memory limit of {in_megabytes(settings.max_memory)} is too small: these data need at least "
            f"{in_megabytes(base + smallest * each)}"
        )
    sizes = tuple(size for size in settings.library_sizes if size <= most)
    if len(sizes) < len(settings.library_sizes) and most >= 1.5 * sizes[-1]:
        sizes = (*sizes, most)
    if sizes[-1] >= SCANNED:
        room = int((settings.max_memory - base - SCANNED * each) / (8 * settings.n_probe + STREAMED))
        sizes += tuple(size for size in LARGEST if sizes[-1] < size <= SCANNED + room)
    return replace(settings, library_sizes=sizes)


def in_megabytes(size: float) -> str:
    """A number of bytes as a text such as ``513 MB``, rounded up from a million on."""
    return f"{size:.0f} bytes" if size < 1e6 else f"{-int(-size // 1e6)} MB"
