"""One answer from several workers: counts, drift, ground truth, and switching models."""
