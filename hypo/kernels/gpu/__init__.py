"""Kernels for NVIDIA GPUs (numba-cuda and Triton), with the names of their counterparts in :mod:`hypo.kernels.cpu`.

What decides when a device is worth it, and what moves data there, is :mod:`hypo.search.gpu`.
"""
