"""Visits of a browser to a folder that `package --target browser` wrote."""
