"""First-order rules: their language, their meaning as claims, and their proofs."""
