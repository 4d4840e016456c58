"""Kinds of columns, a class each: how it is recognised, read, checked, and given to learners."""
