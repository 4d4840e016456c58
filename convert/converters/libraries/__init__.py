"""Converters of estimators of other libraries, a module or folder named as each package."""
