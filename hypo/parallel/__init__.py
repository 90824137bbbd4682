"""Where work is done: threads, processes, or a Dask cluster. The interface is one method, ``map``."""
