"""How the examples' networks were trained, with PyTorch and Babel, which no example needs."""
