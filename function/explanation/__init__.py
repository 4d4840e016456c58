"""How much each column of a row pushed its answer away from the background's average.

`route` takes the request and writes the answer, `explain` is what it does with it; `shapley` has
the mathematics, and needs nothing but a game's values.
"""
