"""The machine: what it is, what is wrong with it, and what lies where on it."""
