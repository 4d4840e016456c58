"""Tables of any size, scored."""
