"""A Dask cluster that others run: what its workers have, what is sent to them, tasks there."""
