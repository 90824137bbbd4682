"""The one score: misfit + complexity + λ·violation, in nats."""
