"""Smaller problems: symmetries, invariants, separable and merged variables, screened columns."""
