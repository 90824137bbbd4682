"""The search problem: data, knowledge and settings in one coherent system of units, and what can be seen of the data
before any formula is tried (smooth surrogates, residual structure, ranges, spacing).
"""
