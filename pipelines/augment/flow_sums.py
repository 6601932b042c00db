"""What follows from other columns of a flow, computed anew where those were made up."""

import numpy as np
import pyarrow as pa

WAYS = ("src2dst", "dst2src")
TCP = 6
SHORTEST_PACKET = 20  # an IPv4 header
FLAGS = ("syn", "cwr", "ece", "urg", "ack", "psh", "rst", "fin")

Values = dict[str, np.ndarray]


def with_sums(rows: pa.Table) -> pa.Table:
    """Flows whose totals are the sums of their directions, and whose statistics are in order.

    Columns that the rows lack, or that are null throughout because they are masked, stay so.
    """
    names = [
        name
        for name in rows.column_names
        if name.startswith((*WAYS, "bidirectional")) and rows[name].null_count < rows.num_rows
    ]
    values = {name: _whole(rows, name) for name in names}
    tcp = rows["protocol"].to_numpy() == TCP if "protocol" in rows.column_names else None
    for way in WAYS:
        _silence(values, way)
        _bound_flags(values, way, tcp)
        _bound_bytes(values, way)
    _add_up(values)
    for way in (*WAYS, "bidirectional"):
        _order(values, way)
    for name, column in values.items():
        field = rows.schema.field(name)
        array = pa.array(column, pa.float64(), from_pandas=True).cast(field.type, safe=False)
        rows = rows.set_column(rows.schema.get_field_index(name), field, array)
    return rows


def _whole(rows: pa.Table, name: str) -> np.ndarray:
    values = rows[name].cast(pa.float64(), safe=False).to_numpy().copy()
    whole = pa.types.is_integer(rows.schema.field(name).type)
    return np.asarray(np.round(values) if whole else values)


def _silence(values: Values, way: str) -> None:
    """A direction without packets has no sizes, times or flags."""
    packets = values.get(f"{way}_packets")
    if packets is not None:
        for name in values:
            if name.startswith(way):
                values[name][packets < 1] = 0


def _bound_flags(values: Values, way: str, tcp: np.ndarray | None) -> None:
    """No more packets have a flag than there are, and only TCP has any."""
    packets = values.get(f"{way}_packets")
    for column in (values.get(f"{way}_{flag}_packets") for flag in FLAGS):
        if column is not None and packets is not None:
            np.minimum(column, packets, out=column)
        if column is not None and tcp is not None:
            column[~tcp] = 0


def _add_up(values: Values) -> None:
    """Packets, bytes and flags of both directions together."""
    for name, column in values.items():
        way, _, what = name.partition("_")
        one, other = (values.get(f"{part}_{what}") for part in WAYS)
        summed = way == "bidirectional" and what.endswith(("packets", "bytes"))
        if summed and one is not None and other is not None:
            column[:] = one + other


def _bound_bytes(values: Values, way: str) -> None:
    """Packets hold at least their headers."""
    packets, size = values.get(f"{way}_packets"), values.get(f"{way}_bytes")
    if packets is not None and size is not None:
        np.maximum(size, SHORTEST_PACKET * packets, out=size)


def _order(values: Values, way: str) -> None:
    """Mean sizes are bytes by packets, extremes lie around means (those of sizes are whole), and
    the longest gap lasts no longer than the whole."""
    packets, size = values.get(f"{way}_packets"), values.get(f"{way}_bytes")
    low, mean, high = (values.get(f"{way}_{kind}_ps") for kind in ("min", "mean", "max"))
    if mean is not None and packets is not None and size is not None:
        mean[:] = size / np.maximum(packets, 1)
    if low is not None and mean is not None and high is not None:
        np.minimum(low, np.floor(mean), out=low)
        np.maximum(high, np.ceil(mean), out=high)
    low, mean, high = (values.get(f"{way}_{kind}_piat_ms") for kind in ("min", "mean", "max"))
    if low is not None and mean is not None and high is not None:
        np.minimum(low, mean, out=low)
        np.maximum(high, mean, out=high)
    lasted = values.get(f"{way}_duration_ms")
    if high is not None and lasted is not None:
        np.maximum(lasted, high, out=lasted)
