"""The user's Python functions as part of the graph: called once, with proxies for columns."""
