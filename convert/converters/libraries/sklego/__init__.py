"""Converters of scikit-lego's estimators, by kind."""
