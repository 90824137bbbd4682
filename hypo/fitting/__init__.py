"""From a raw formula to a scored hypothesis: constants fitted, raced on subsets of rows, snapped to exact numbers,
checked against rules, archived.
"""
