"""The report's plots: each module draws those of one subject, `drawing` makes them SVG."""
