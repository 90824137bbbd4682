"""The kernels in numba compile for a device where there is none: the simulator takes much that the compiler refuses."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# In a process of its own, since here the simulator may be on. Calls between device functions ask which device there is.
COMPILE = """
from types import SimpleNamespace
from numba import cuda
from numba.cuda import dispatcher, types
dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(9, 0))
try:
    cuda.compile_ptx(lambda x: None, types.void(types.Array(types.float32, 1, "C")), cc=(9, 0))
except Exception as error:
    print("no compiler:", error)
    raise SystemExit
from hypo.kernels import cuda_evaluate, cuda_fit
def array(kind, n):
    return types.Array(kind, n, "C")
n, i, f, r = types.int64, types.int32, types.float64, types.float64
packed, rows = (array(i, 1), array(f, 1)), (array(r, 2), array(r, 1), array(r, 1))
ragged = array(i, 1), array(n, 1), array(f, 1), array(n, 1)
normal, fit = cuda_fit._kernels(True)
values, losses = cuda_evaluate._kernels(True, 4)
for kernel, signature in (
    (fit, (*packed, n, n, n, *rows, n, n, f, n)), (normal, (*packed, n, n, *rows, n, n, array(f, 2))),
    (values, (*ragged, array(r, 2), array(r, 2))), (losses, (*ragged, *rows, array(f, 2))),
):
    ptx, _ = cuda.compile_ptx(kernel.py_func, types.void(*signature), cc=(9, 0))
    assert ".visible .entry" in ptx
print("compiled")
"""


@pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
def test_kernels_compile_for_a_device(repository: Path) -> None:
    given = os.environ | {"NUMBA_ENABLE_CUDASIM": "0", "PYTHONPATH": str(repository)}
    command = [sys.executable, "-W", "ignore", "-c", COMPILE]
    ended = subprocess.run(command, env=given, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    if ended.stdout.startswith("no compiler"):
        pytest.skip(f"numba-cuda finds no compiler: {ended.stdout[:200]}")
    assert ended.stdout.endswith("compiled\n")
