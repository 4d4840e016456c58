"""Laptop side: a fitted estimator becomes a model directory that answers as it does."""
