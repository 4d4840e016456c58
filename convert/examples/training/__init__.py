"""How trained networks of the examples were made: needs PyTorch and Babel, which no example does."""
