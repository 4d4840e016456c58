"""From model directories to one zip for one Python and one architecture.

`package` is the whole, as one function: `wheels` installs, `stripping` leaves out what is never
loaded, `compiled` adds `.pyc`, `bill` lists what is inside, `archive` writes, `sizes` judges.
For devices `release` and `sign` sign it, and `publish` lays it out for them to fetch.
"""
