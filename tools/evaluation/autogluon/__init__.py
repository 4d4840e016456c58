"""`make autogluon`: predictors of AutoGluon, and what is served of them."""
