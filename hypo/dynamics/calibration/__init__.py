"""Constants and starts of a system, fitted to the samples themselves."""
