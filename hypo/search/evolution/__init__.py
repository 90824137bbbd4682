"""Evolution: islands of programs, bred and fitted in batches."""
