"""Rows as sums of components."""
