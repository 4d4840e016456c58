"""Columns that become other columns."""
