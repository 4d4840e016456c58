"""Estimators of this project."""
