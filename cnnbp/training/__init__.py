"""Training: the loop as a generator of results, its whole state in one object, checkpoints and the run directory."""
