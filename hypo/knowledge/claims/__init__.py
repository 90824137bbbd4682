"""Claims about numbers: measured at points, enclosed over boxes, proved or refuted with a witness."""
