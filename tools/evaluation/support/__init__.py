"""Which estimators are converted exactly, library by library: `make coverage`."""
