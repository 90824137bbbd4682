"""What tests compare hypo with, and what several of them share."""
