"""XGBoost: the file of a model, and the estimators."""
