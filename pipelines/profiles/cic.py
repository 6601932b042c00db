"""The columns of CICFlowMeter 4, computed as they were meant."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_rows import FLAG_BITS
from pipelines.capture.flow_table import Update
from pipelines.capture.moments import joined, statistics
from pipelines.capture.settings import FlowSettings
from pipelines.profiles import cic_state
from pipelines.profiles.cic_columns import FLAGS, NOTES, WAYS, cic_columns
from pipelines.profiles.lengths import wire_lengths
from pipelines.profiles.open_flows import OpenFlows, runs_of
from pipelines.profiles.profile import Profile, rows_of, schema_of
from pipelines.profiles.text import address_texts

_STATISTIC = {"Max": "max", "Min": "min", "Mean": "mean", "Std": "stddev"}


class _Cic:
    def __init__(self, settings: FlowSettings) -> None:
        self._schema = schema_of(cic_columns(settings))
        self._open = OpenFlows(cic_state.RECORD)

    def add(self, batch: PacketBatch, update: Update) -> pa.Table:
        runs = runs_of(batch, update)
        places = self._open.places(update.number[runs.starts])
        records = self._open.records[places]
        cic_state.begin(records)
        if len(records):
            cic_state.update(records, runs, update.gap_ns, wire_lengths(batch, runs.rows))
        self._open.records[places] = records
        return self.end(update.ended)

    def end(self, flows: np.ndarray) -> pa.Table:
        records = self._open.take(flows["number"])
        cic_state.finish(records)
        values = _identity(flows) | _gaps(flows) | _flags(flows) | _payloads(records)
        values |= _counts(flows, records) | _rates(flows, records)
        for name in ("active", "idle"):
            values |= _spread(name.title(), records[name])
        return rows_of(values, self._schema)


def _spread(name: str, moments: np.ndarray, scale: float = 1.0) -> dict[str, np.ndarray]:
    found = statistics(moments)
    return {f"{name} {sense}": found[key] * scale for sense, key in _STATISTIC.items()}


def _identity(flows: np.ndarray) -> dict[str, Any]:
    source, destination = address_texts(flows["src_ip"]), address_texts(flows["dst_ip"])
    parts = (
        source,
        destination,
        *(pa.array(flows[n]) for n in ("src_port", "dst_port", "protocol")),
    )
    first = pa.array(flows["first_ns"] // 1000, pa.timestamp("us", "UTC"))
    return {
        "Flow ID": pc.binary_join_element_wise(*(p.cast(pa.string()) for p in parts), "-"),
        "Src IP": source,
        "Src Port": flows["src_port"],
        "Dst IP": destination,
        "Dst Port": flows["dst_port"],
        "Protocol": flows["protocol"],
        "Timestamp": first,
        "Flow Duration": (flows["last_ns"] - flows["first_ns"]) // 1000,
    }


def _gaps(flows: np.ndarray) -> dict[str, Any]:
    """Times between packets; the flow record has them in milliseconds."""
    values = _spread("Flow IAT", flows["gap"], 1000.0)
    spans = flows["way_last_ns"] - flows["way_first_ns"]
    for way, name in enumerate(WAYS):
        values |= _spread(f"{name} IAT", flows["way_gap"][:, way], 1000.0)
        values[f"{name} IAT Total"] = spans[:, way] / 1e3
    return values


def _flags(flows: np.ndarray) -> dict[str, Any]:
    counts = flows["flags"]
    values = {f"{flag.upper()} Flag Count": counts[:, :, FLAG_BITS[flag]].sum(1) for flag in FLAGS}
    for way, name in enumerate(WAYS):
        for flag in ("psh", "urg"):
            values[f"{name} {flag.upper()} Flags"] = counts[:, way, FLAG_BITS[flag]]
    return values


def _payloads(records: np.ndarray) -> dict[str, Any]:
    payload = records["payload"]
    whole = joined(payload[:, 0], payload[:, 1])
    values = _spread("Packet Length", whole)
    values["Packet Length Variance"] = values["Packet Length Std"] ** 2
    values["Average Packet Size"] = values["Packet Length Mean"]
    for way, name in enumerate(WAYS):
        values |= _spread(f"{name} Packet Length", payload[:, way])
        values[f"{name} Segment Size Avg"] = values[f"{name} Packet Length Mean"]
        values[f"Total Length of {name} Packet"] = records["payload_bytes"][:, way]
    return values


def _counts(flows: np.ndarray, records: np.ndarray) -> dict[str, Any]:
    packets, subflows = flows["packets"], records["subflows"]
    values: dict[str, Any] = {
        "Total Fwd Packet": packets[:, 0],
        "Total Bwd packets": packets[:, 1],
        "Down/Up Ratio": packets[:, 1] / packets[:, 0],
        "FWD Init Win Bytes": records["window"][:, 0],
        "Bwd Init Win Bytes": records["window"][:, 1],
        "Fwd Act Data Pkts": records["data_packets"][:, 0],
        "Fwd Seg Size Min": records["least_header"][:, 0],
    }
    for way, name in enumerate(WAYS):
        values[f"{name} Header Length"] = records["header_bytes"][:, way]
        values[f"Subflow {name} Packets"] = packets[:, way] / subflows
        values[f"Subflow {name} Bytes"] = records["payload_bytes"][:, way] / subflows
    return values


def _rates(flows: np.ndarray, records: np.ndarray) -> dict[str, Any]:
    seconds = (flows["last_ns"] - flows["first_ns"]) / 1e9
    packets = flows["packets"]
    values: dict[str, Any] = {
        "Flow Bytes/s": _a_second(records["payload_bytes"].sum(1), seconds),
        "Flow Packets/s": _a_second(packets.sum(1), seconds),
    }
    for way, name in enumerate(WAYS):
        values[f"{name} Packets/s"] = _a_second(packets[:, way], seconds)
        bulks = np.maximum(records["bulks"][:, way], 1)
        size, span = records["bulk_bytes"][:, way], records["bulk_ns"][:, way] / 1e9
        values[f"{name} Bytes/Bulk Avg"] = size / bulks
        values[f"{name} Packet/Bulk Avg"] = records["bulk_packets"][:, way] / bulks
        rate = np.zeros(len(flows))
        np.divide(size, span, out=rate, where=span > 0)
        values[f"{name} Bulk Rate Avg"] = rate
    return values


def _a_second(amounts: np.ndarray, seconds: np.ndarray) -> pa.Array:
    """Amounts a second; null where no time passed."""
    rates = np.zeros(len(seconds))
    np.divide(amounts, seconds, out=rates, where=seconds > 0)
    return pa.array(rates, pa.float64(), mask=seconds == 0)


CIC = Profile(
    name="cic",
    title="CICFlowMeter's columns, corrected",
    unit="flow",
    label_column="Label",
    notes=NOTES,
    columns=cic_columns,
    open=_Cic,
)
