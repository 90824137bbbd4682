"""Proposers: whatever puts forward hypotheses, one file for each strategy, and who has the next turn."""
