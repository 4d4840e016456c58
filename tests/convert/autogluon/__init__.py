"""What is made of predictors of AutoGluon, by what was kept of them."""
