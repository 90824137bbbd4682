"""P(D|h): families of distributions of the target given a formula, and the rows they are asked of.

Weights of hypotheses and their constants' distribution are :mod:`hypo.posterior`.
"""
