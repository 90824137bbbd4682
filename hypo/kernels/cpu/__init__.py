"""Kernels for the processor: operators on rows, programs, fits, enumeration and scans.

Layouts (shapes, types, order of axes) are stated at the top of each module. Anything that needs an expression, a unit or an
exception of hypo belongs above the wall.
"""
