"""Predict tables of any size: record batches in, the answers of HTTP out, as columns."""
