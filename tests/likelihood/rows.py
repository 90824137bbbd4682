"""Rows of two columns for searches under other likelihoods."""

import numpy as np

N = 200
RNG = np.random.default_rng(8)
X, Z = RNG.uniform(0.5, 5.0, N), RNG.uniform(0.5, 3.0, N)
