"""Sources of candidates for one equation: sums of rate-law terms, rational laws, and whole searches."""
