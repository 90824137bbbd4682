"""Numba kernels on raw arrays: no objects, no units, and no import of the rest of hypo.

Here: opcodes, how kernels are compiled and kept, and the list of those compiled after an installation. ``cpu`` and ``gpu``
hold the kernels themselves, under the same names where both have one.
"""
