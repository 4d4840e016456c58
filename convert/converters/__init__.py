"""Converters of our own: a module for each family of estimators."""
