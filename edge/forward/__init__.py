"""Store and forward: every prediction is kept on the device until somebody else has it."""
