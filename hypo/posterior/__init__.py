"""What is left open once data and prior are weighed: evidence, weights, predictions, bounds, the next measurement."""
