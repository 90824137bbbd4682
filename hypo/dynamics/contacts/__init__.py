"""Walls, impacts and clips found in recorded runs: where runs are cut, and the events that a model has of them."""
