"""Answers are kept in SQLite until their truth comes, and counted when it has."""
