"""The rows that a conversion is judged by: held-out rows, and each kind of edge cases."""
