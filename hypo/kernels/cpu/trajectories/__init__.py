"""Kernels that follow systems of laws through time, many columns (starts × parameters × inputs) at once.

A block of columns runs through the interpreter together, so that a node's opcode is looked up once for all of them. Each column
has a *lane* of the block, with a time and a step of its own; a lane whose column is done takes the next one.
"""
