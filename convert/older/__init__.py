"""Estimators that another scikit-learn fitted: asked in its own environment, and read here."""
