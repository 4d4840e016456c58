"""Figures of other libraries that ours are held against: `make references`."""
