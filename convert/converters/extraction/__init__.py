"""Columns of numbers from text, dictionaries and images."""
