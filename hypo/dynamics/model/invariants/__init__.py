"""Quantities that a system conserves, or loses."""
