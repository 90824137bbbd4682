"""Numba kernels on raw arrays: no objects, no units, and no import of the rest of hypo."""
