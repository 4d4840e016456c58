"""This project's converters: a module for each family of estimators."""
