"""Work in other processes: fresh or forked ones of this machine, or those of a Dask cluster."""
