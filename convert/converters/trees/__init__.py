"""Decision trees, and what is made of many of them."""
