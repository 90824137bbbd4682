"""The GPUs of this process, and work on them until some of it fails."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from importlib.util import find_spec
from typing import TypeVar

from hypo.errors import HypoError, InputError, MissingExtraError
from hypo.expression import operators as ops
from hypo.kernels import opcodes as oc
from hypo.problem.problem import CUDA, PYSR

R = TypeVar("R")

# Backends that evaluate formulas by code of their own.
LIMITED = (CUDA, PYSR)


def devices() -> tuple[str, ...]:
    """The GPUs of this process, or ``("cpu",)`` where Triton's interpreter stands in for them.

    Raises:
        MissingExtraError: PyTorch or Triton is not installed.
        InputError: there is no GPU.
    """
    if find_spec("torch") is None or find_spec("triton") is None:
        raise MissingExtraError(
            "the backend cuda needs PyTorch and Triton, which are not installed: pip install 'hypo[gpu]'"
        )
    import torch

    from hypo.kernels.gpu.pair_tiles import interpreted

    if interpreted():
        return ("cpu",)
    if not torch.cuda.is_available():
        raise InputError(
            "the backend cuda needs an NVIDIA GPU, and PyTorch finds none here; "
            "leave out the backend to search on the processor"
        )
    return tuple(f"cuda:{k}" for k in range(torch.cuda.device_count()))


def require_known_operators(allowed: Collection[str], backend: str) -> None:
    """Raises InputError where the ``backend`` cannot evaluate an operator of a user."""
    own = sorted(name for name in allowed if oc.is_user_defined(ops.BY_NAME[name].opcode))
    if own and backend in LIMITED:
        raise InputError(
            f"the backend {backend} does not know the operator {own[0]}, which is defined in Python and evaluated on the "
            "processor only: leave out the operator or the backend"
        )


class Attempts:
    """Work of one kind on devices, until some of it fails: then the processor does it, and a RuntimeWarning says why."""

    def __init__(self, what: str) -> None:
        self._what, self.has_failed = what, False

    def run(self, work: Callable[[], R]) -> R | None:
        """The result of the work; None where a device fails, and from then on."""
        if self.has_failed:
            return None
        try:
            return work()
        except HypoError:
            raise
        # PyTorch, Triton and numba have errors of their own for memory, drivers and compilers, with nothing in common.
        except Exception as error:
            self.has_failed = True
            said = str(error).strip().partition("\n")[0].rstrip(".")
            warnings.warn(
                f"{self._what} on the GPU failed ({type(error).__name__}{': ' if said else ''}{said}); "
                "the processor does them from now on",
                RuntimeWarning, stacklevel=2,
            )  # fmt: skip
            return None
