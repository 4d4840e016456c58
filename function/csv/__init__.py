"""CSV: how a file is written, its rows within limits, and bodies whose cells are typed."""
