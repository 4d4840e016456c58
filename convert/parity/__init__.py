"""Equal to scikit-learn, or why not: comparison, search, rounding, certificate."""
