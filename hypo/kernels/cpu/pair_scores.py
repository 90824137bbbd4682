"""Scores of listed pairs in double precision, as scans give them."""

import numpy as np

from hypo.kernels.compiled import kernel
from hypo.kernels.cpu.pair_scan import _product_r2, _sum_r2


@kernel(error_model="numpy", nogil=True)
def sum_scores(F, G, rf, rg, i, j, r2):
    """R² of t ≈ b·f + c·g into ``r2`` (n_pair,) for rows ``F`` (n_f, n), ``G`` (n_g, n) and their inner products ``rf``,
    ``rg`` with the target."""
    for k in range(i.shape[0]):
        r2[k] = _sum_r2(F, G, i[k], j[k], rf[i[k]], rg[j[k]])


@kernel(error_model="numpy", nogil=True)
def product_scores(F, G, target, basis, i, j, r2):
    """R² of t ≈ b·f·g + span(basis) into ``r2`` (n_pair,); overflow and 0/0 count as 0."""
    for k in range(i.shape[0]):
        s = _product_r2(F, G, i[k], j[k], target, basis)
        r2[k] = s if s > 0.0 else np.float64(0.0)
