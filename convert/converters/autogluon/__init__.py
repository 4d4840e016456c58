"""AutoGluon's predictors: feature generators, models, and what is made of their answers."""
