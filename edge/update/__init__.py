"""Updates that a device takes: signed, proven on its own processor, and undone where they fail."""
