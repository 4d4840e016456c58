"""Models by densities: naive Bayes, discriminants, mixtures, kernels, ellipses."""
