"""The search for hypotheses: library, scans, racing, constants, archive and the engine that runs them."""
