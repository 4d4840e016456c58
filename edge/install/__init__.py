"""Installing on a device: what lies where, who runs it, and how it is taken away again."""
