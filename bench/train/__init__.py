"""Training beside other AutoML."""
