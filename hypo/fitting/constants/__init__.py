"""Fits of the constants of one formula: least squares, other likelihoods, and where to begin."""
