"""Kernels of evolution: what programs may hold, how they vary, and how they are tidied."""
