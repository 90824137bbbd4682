"""Trajectories drawn from the posterior, and the bands around them."""
