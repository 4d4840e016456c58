"""Bodies to messages and back: a module for each protocol that clients speak."""
