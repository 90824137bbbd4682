"""Trials of candidates by trajectories: alone, combined, and with a little more or less in them."""
