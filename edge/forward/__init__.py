"""Store and forward: every prediction is kept on the device until a receiver has it."""
