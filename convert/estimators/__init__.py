"""Estimators of this project's own, for pipelines of scikit-learn's."""
