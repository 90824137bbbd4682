"""Following systems of rates through time, compiled and in batches."""
