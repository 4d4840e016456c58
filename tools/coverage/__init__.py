"""Which of scikit-learn's estimators are converted exactly: `make coverage`."""
