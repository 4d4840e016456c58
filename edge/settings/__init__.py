"""The environment variables of devices: one table of them, and the file that they are in."""
