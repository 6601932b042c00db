"""How much faster two workers read a folder of captures than one, and that all give equal rows.

    python benchmarks/scale.py [--captures 16] [--packets 200000] [--workers 2]

Makes captures in a temporary folder and imports them as ``netloop data`` does, from the bytes of
the captures to one Parquet file, serially, with processes and with Dask, each time without shards
from before. Then it imports them once more from the shards that are there. Prints seconds, the
ratio to serial, and whether the Parquet files are the same bytes. Starting workers counts.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS"):
    os.environ[name] = "1"

import pyarrow as pa  # noqa: E402
from traffic import write_traffic  # noqa: E402

from pipelines.datasets.capture_rows import Reading  # noqa: E402
from pipelines.datasets.sources import open_source  # noqa: E402
from pipelines.executors import Workers  # noqa: E402
from pipelines.store.files import hash_file  # noqa: E402
from pipelines.store.rows import NAME, write_tables  # noqa: E402


def read(source: Path, out: Path, workers: Workers, shards: Path) -> tuple[float, str]:
    """Seconds of an import, and the hash of the rows that it wrote."""
    out.mkdir(exist_ok=True)
    begin = time.perf_counter()
    opened = open_source(source, "folder", Reading(workers=workers, shards=shards))
    write_tables(out, opened.tables, opened.schema)
    return time.perf_counter() - begin, hash_file(out / NAME)


def make(source: Path, captures: int, packets: int) -> int:
    """Captures of two classes; their size in bytes."""
    size = 0
    for number in range(captures):
        folder = source / ("even", "odd")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        size += write_traffic(folder / f"capture-{number}.pcap", packets, seed=number)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captures", type=int, default=48)
    parser.add_argument("--packets", type=int, default=200_000, help="in each capture")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = make(folder / "captures", options.captures, options.packets)
        packets = options.captures * options.packets
        print(f"{options.captures} captures, {packets:,} packets, {size / 1e6:,.0f} MB")
        kinds = {
            "serial": Workers("serial"),
            f"{options.workers} processes": Workers("processes", options.workers),
            f"Dask, {options.workers} processes": Workers("dask", options.workers),
        }
        results = {
            kind: read(folder / "captures", folder / "out", workers, folder / f"shards-{place}")
            for place, (kind, workers) in enumerate(kinds.items())
        }
        results["from shards"] = read(
            folder / "captures", folder / "out", kinds["serial"], folder / "shards-0"
        )
    serial, digest = results["serial"]
    print(f"{'':<20}{'seconds':>9}{'packets/s':>13}{'x serial':>10}  rows")
    for kind, (seconds, found) in results.items():
        same = "the same bytes" if found == digest else "OTHER ROWS"
        print(
            f"{kind:<20}{seconds:>9.2f}{packets / seconds:>13,.0f}{serial / seconds:>10.2f}  {same}"
        )


if __name__ == "__main__":
    main()
