"""One answer from several workers: counts, drift, truth, and switching models."""
