"""Answers to what is asked of a result: audits, worst-case bounds, predictions, suggested measurements."""
