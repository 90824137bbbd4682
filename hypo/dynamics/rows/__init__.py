"""Tables for searches: what the columns of laws and the rates were along smoothed paths, with honest errors."""
