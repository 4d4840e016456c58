"""One answer from several workers: counts, drift, what came of predictions, and switching models."""
