"""Converters of skrub's estimators: frames, cells, texts, numbers, dates, joins, and refusals."""
