"""Converters of feature-engine's estimators, a module for each of its own modules.

Each takes a frame and returns a frame: later steps choose columns by name. All raise where a frame
has another number of columns than in `fit`; many raise for a missing or infinite number, or for a
value that a function is not defined for. The build finds that by asking them, and where such a
value is only made inside the model, the graph marks its row (`Graph.refuse_rows`).
"""
