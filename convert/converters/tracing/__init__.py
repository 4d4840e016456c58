"""Functions of the user's own, followed.

A function is called once, with a stand-in that writes to the graph what is done with it, and
refuses everything whose outcome hangs on a value or on other rows. From the bottom up:
`arithmetic`, `divisions`, `casts`, `ufuncs` and `reductions` compute with tensors as NumPy does;
`traced` is a stand-in, `array`, `series`, `frame` and `elements` the forms that it has;
`array_functions`, `joining`, `searching`, `pandas_functions` and `modules` are the functions that
it is given to; `follow` is the way in.
"""

from __future__ import annotations

from convert.converters.tracing.follow import Form, followed, name_of

__all__ = ["Form", "followed", "name_of"]
