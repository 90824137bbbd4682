"""The prior for rate laws: how textbooks write right-hand sides, and the code lengths that follow."""
