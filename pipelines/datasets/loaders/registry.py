"""Every loader, in the order in which they are asked whether a file is theirs."""

from pathlib import Path

from pipelines.datasets.loaders.base import Loader
from pipelines.datasets.loaders.cic import CIC_FLOWS, ISCX_TOR
from pipelines.datasets.loaders.csic import CSIC
from pipelines.datasets.loaders.delimited import DELIMITED
from pipelines.datasets.loaders.kdd import KDD99, NSL_KDD
from pipelines.datasets.loaders.ndpi import NDPI
from pipelines.datasets.loaders.trafficllm import TRAFFICLLM
from pipelines.datasets.loaders.unsw import UNSW_RAW, UNSW_SETS
from pipelines.datasets.loaders.zeek import ZEEK_CSV, ZEEK_JSON, ZEEK_LOG
from pipelines.datasets.table_files import Head, TableFile, read_head

LOADERS: tuple[Loader, ...] = (
    NSL_KDD,
    KDD99,
    UNSW_SETS,
    UNSW_RAW,
    CIC_FLOWS,
    ISCX_TOR,
    ZEEK_LOG,
    ZEEK_CSV,
    ZEEK_JSON,
    NDPI,
    TRAFFICLLM,
    CSIC,
    DELIMITED,  # takes whatever has a header, so it comes last
)


def recognise(path: Path, layout: str | None = None) -> tuple[Loader, TableFile] | None:
    """The loader of a file, by its first bytes; None if it is no table that can be read.

    The loader named ``layout`` is asked first, and takes a file without labels too.
    """
    head = read_head(path)
    if head is None:
        return None
    for loader in LOADERS:
        if loader.name == layout and (file := with_or_without_labels(loader, head)):
            return loader, file
    for loader in LOADERS:
        if file := loader.recognise(head):
            return loader, file
    return None


def with_or_without_labels(loader: Loader, head: Head) -> TableFile | None:
    """A file of a loader's layout, with its label columns or without."""
    return loader.recognise(head) or (loader.bare(head) if loader.bare else None)
