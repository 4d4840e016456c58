"""Load generators, and servers as processes of their own."""
