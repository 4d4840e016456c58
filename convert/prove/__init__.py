"""What others made of an estimator, compared with it by the evidence of a build."""
