"""Smooth paths through noisy samples, with the errors of states and rates."""
