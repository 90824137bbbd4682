"""Knowledge over a system of laws of motion: what each equation must obey, and what all do together."""
