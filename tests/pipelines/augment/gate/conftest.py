"""A made-up world of three classes: fresh rows of it are what a perfect generator would give."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.pair import Pair
from pipelines.datasets.fields import COLUMN, LABEL, field

CLASSES = ("benign", "scan", "worm")
# Where the classes lie on the six numbers, in deviations.
CENTRES = np.array(
    [[0, 0, 0, 0, 0, 0], [2.5, 0, -2.5, 0, 1, 0], [-1, 2.5, 0, 2.5, 0, -1]], dtype=float
)
NUMBERS = ("sent", "heard", "lasts", "drift", "tone", "depth")
SCHEMA = pa.schema(
    [
        field("label", pa.string(), LABEL),
        field("src_ip", pa.string(), "addresses"),
        field("sent", pa.int64(), COLUMN),
        field("heard", pa.int64(), COLUMN),
        *(field(name, pa.float64(), COLUMN) for name in NUMBERS[2:]),
        field("kind", pa.string(), COLUMN),
        field("state", pa.string(), COLUMN),
    ]
)


def _world(rows: int, seed: int) -> pa.Table:
    """As many rows of each class; numbers share one factor, which also sets the state."""
    random = np.random.default_rng(seed)
    label = np.arange(rows) % len(CLASSES)
    factor = random.normal(size=rows)
    z = 0.85 * factor[:, None] + 0.53 * random.normal(size=(rows, 6)) + CENTRES[label]
    kind = (label + (random.random(rows) < 0.2)) % 3
    state = np.digitize(factor + 0.3 * random.normal(size=rows), [-0.7, 0.7])
    columns = {
        "label": np.array(CLASSES, object)[label],
        "src_ip": [f"10.{a}.{b}.{c}" for a, b, c in random.integers(0, 256, (rows, 3))],
        "sent": np.round(np.exp(8 + z[:, 0])).astype(np.int64),
        "heard": np.round(np.exp(9 + 1.5 * z[:, 1])).astype(np.int64),
        "lasts": np.exp(z[:, 2]),
        "drift": z[:, 3],
        "tone": 100 + z[:, 4],
        "depth": z[:, 5],
        "kind": np.array(["tcp", "udp", "icmp"], object)[kind],
        "state": np.array(["low", "mid", "high"], object)[state],
    }
    return pa.table([pa.array(columns[kind.name], kind.type) for kind in SCHEMA], schema=SCHEMA)


def _put(rows: pa.Table, name: str, places: object, values: object) -> pa.Table:
    """The rows with ``values`` at ``places`` of column ``name``."""
    column = np.array(rows[name].to_pylist(), object)
    column[places] = values
    kept = rows.schema.field(name)
    at = rows.schema.get_field_index(name)
    return rows.set_column(at, kept, pa.array(column.tolist(), kept.type))


@pytest.fixture(scope="module", autouse=True)
def small_forests() -> Iterator[None]:
    """Forests of few trees: dozens of them are grown here. Other folders' tests get theirs back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.augment.gate.models.TREES", 20)
        yield


@pytest.fixture(scope="session")
def world() -> Callable[[int, int], pa.Table]:
    return _world


@pytest.fixture(scope="session")
def put() -> Callable[..., pa.Table]:
    return _put


@pytest.fixture(scope="session")
def pair_of() -> Callable[..., Pair]:
    def make(real: pa.Table, synthetic: pa.Table, seed: int = 0) -> Pair:
        return Pair.of(real, synthetic, ("addresses",), seed)

    return make


@pytest.fixture(scope="session")
def plain() -> Callable[..., pa.Table]:
    """Rows of hand-made columns: lists of numbers or texts, all of class a unless labels say."""

    def make(labels: list[str] | None = None, **columns: list) -> pa.Table:
        rows = len(next(iter(columns.values())))
        arrays = {field("label", pa.string(), LABEL): pa.array(labels or ["a"] * rows)}
        for name, values in columns.items():
            array = values if isinstance(values, pa.Array) else pa.array(values)
            arrays[field(name, array.type, COLUMN)] = array
        return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(list(arrays)))

    return make


@pytest.fixture(scope="session")
def made_flows() -> Callable[..., pa.Table]:
    """Flows of two classes with lists and payload: 9 packets, 4 there and 5 back."""

    def make(rows: int, seed: int = 0, **columns: list) -> pa.Table:
        random = np.random.default_rng(seed)
        label = np.arange(rows) % 2
        sizes = (60 + 400 * label[:, None] + random.integers(0, 40, (rows, 3))).tolist()
        payload = [bytes([22 + 40 * one, *random.bytes(5), 0, 0]) for one in label]
        made = {
            field("label", pa.string(), LABEL): np.array(["web", "dns"], object)[label],
            field("protocol", pa.uint8(), "protocol"): np.where(label, 17, 6),
            field("bidirectional_packets", pa.int64(), "counts"): [9] * rows,
            field("src2dst_packets", pa.int64(), "counts"): [4] * rows,
            field("dst2src_packets", pa.int64(), "counts"): [5] * rows,
            field("packet_length", pa.list_(pa.int32(), 3), "sizes"): sizes,
            field("payload_length", pa.list_(pa.int32(), 1), "payload"): [[6]] * rows,
            field("payload", pa.binary(8), "payload"): payload,
        }
        arrays = [
            pa.array(columns.get(kind.name, values), kind.type) for kind, values in made.items()
        ]
        return pa.Table.from_arrays(arrays, schema=pa.schema(list(made)))

    return make
