"""Rows and tensors become checked arrays: signature, validation, JSON, CSV, and front ends."""
