"""The one score: misfit + complexity + λ·violation, in nats, and the code lengths behind it."""
