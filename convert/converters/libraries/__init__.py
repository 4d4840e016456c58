"""Converters of estimators of other libraries, a module for each."""
