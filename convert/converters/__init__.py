"""This project's converters: a folder for each family of estimators, and what finds them."""
