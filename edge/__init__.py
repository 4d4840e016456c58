"""Device side: serve the function on a Raspberry Pi, or on a laptop."""
