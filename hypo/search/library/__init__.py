"""Libraries: distinct subexpressions by rising cost, as rows of values, and what they are grown from."""
