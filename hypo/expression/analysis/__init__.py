"""What can be proved of one formula: derivatives, enclosures, dimensions, identities."""
