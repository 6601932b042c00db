"""Any table with a header: what its columns mean is told by their names, or by a column map."""

from pipelines.datasets.csv_files import recognise_delimited
from pipelines.datasets.loaders.base import Loader

DELIMITED = Loader(name="table", title="a table with a header", recognise=recognise_delimited)
