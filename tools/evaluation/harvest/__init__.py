"""Models that nobody here wrote: those of scikit-learn's example gallery, built and compared."""
