"""LightGBM: the text of a model, and the estimators."""
