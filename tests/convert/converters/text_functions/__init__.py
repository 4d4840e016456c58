"""Tests of the user's functions of texts."""
