"""CatBoost: the model file, categories, the trees, and the estimators' losses."""
