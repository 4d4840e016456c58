"""Predictors of AutoGluon: described and asked in its environment, made of plain values here."""
