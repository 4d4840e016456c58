"""The unpacked bundle on AWS's own runtime: its emulator, its Python client, no network."""
