"""Laptop side: a fitted estimator becomes a model directory that is proven equal to it."""

import function  # noqa: F401 - what it sets has to be set before ONNX Runtime is imported
