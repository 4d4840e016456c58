"""Linear models, networks of them, and constants."""
