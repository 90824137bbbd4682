"""Formulas near a formula: other spellings, simpler relatives, neighbours, moves on trees, other units.

Each module proposes; which proposal is better is the score's business.
"""
