"""Rows filled and copied. NumPy's ``out[:] = u`` does the same, but takes numba ten times as long to compile."""

from hypo.kernels.compiled import inner


@inner()
def fill(out, c):
    """``out[:] = c``."""
    for i in range(out.shape[0]):
        out[i] = c


@inner()
def assign(out, u):
    """``out[:] = u`` for rows that do not overlap."""
    for i in range(out.shape[0]):
        out[i] = u[i]
