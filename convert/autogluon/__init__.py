"""Predictors of AutoGluon: asked in its own environment, and made of plain values here."""
