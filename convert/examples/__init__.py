"""Examples to build: each returns an estimator and its test set."""
