"""Updates: signed, checked on the device itself, and rolled back where they fail."""
