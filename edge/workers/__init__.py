"""Several processes on one port: their supervisor, which relays between them, and each of them."""
