"""Predict tables of any size: files here and in S3, on this machine or on an engine."""
