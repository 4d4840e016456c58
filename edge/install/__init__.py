"""Installing on a device: slots, systemd's files, keys, and removing all of it."""
