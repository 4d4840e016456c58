"""Functions of the user's own become part of the graph: they are called once, with stand-ins."""
