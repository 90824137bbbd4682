"""Data in: CSV files, data frames and arrays become one checked Dataset, or a sentence says why not."""

from hypo.data.dataset import Dataset, Table
from hypo.data.readers import from_arrays, from_frame, read_csv, read_table
from hypo.data.tables import TableOptions, as_dataset

__all__ = ["Dataset", "Table", "TableOptions", "as_dataset", "from_arrays", "from_frame", "read_csv", "read_table"]
