"""Models by kernels with known points: support vectors, Gaussian processes, features."""
