"""Tables in files: what a file is, how far it may unpack, and its rows some at a time."""
