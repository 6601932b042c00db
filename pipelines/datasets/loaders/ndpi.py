"""nDPI's flows as CSV: labels by deep packet inspection, for the captures that lie beside."""

from pipelines.datasets.csv_files import recognise_delimited
from pipelines.datasets.fields import LABEL
from pipelines.datasets.loaders.base import Loader, groups_of
from pipelines.datasets.table_files import Head, TableFile

KNOWN = {"file", "l4", "ndpi_proto", "confidence", "c2s_pkts", "s2c_pkts"}


def recognise(head: Head) -> TableFile | None:
    """A header with nDPI's verdict and how sure it is."""
    file = recognise_delimited(head)
    return file if file and {name.lower() for name in file.names} >= KNOWN else None


NDPI = Loader(
    name="ndpi",
    title="flows with nDPI's verdict",
    recognise=recognise,
    labels={"attack": "ndpi_proto", "category": "category"},
    groups=groups_of(
        {
            "protocol": ("l4",),
            "addresses": ("src", "dst"),
            "ports": ("sport", "dport"),
            "names": ("hostname",),
            "counts": ("c2s_pkts", "s2c_pkts"),
            "split": ("file", "n"),
            LABEL: ("ndpi_proto", "category", "confidence", "encrypted", "risk"),
        }
    ),
    host=("src",),
    faults=(
        "Labels are what an engine concluded, not ground truth: keep rows whose confidence is DPI "
        "(columns.where: {confidence: 'DPI*'}).",
        "The table alone holds little; give the captures and data.label: flows.csv.",
    ),
)
