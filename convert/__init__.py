"""Laptop side: a fitted estimator becomes a model directory that is proven equal to it."""
