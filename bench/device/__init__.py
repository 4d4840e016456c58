"""A device: its bundle, its service, and its updates."""
