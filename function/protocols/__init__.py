"""Bodies to messages and back: a folder for each protocol that clients speak."""
