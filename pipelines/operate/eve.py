"""Verdicts as Suricata's EVE JSON: one object a line, with its usual names, and one object ``ml``.

Format: https://docs.suricata.io/en/latest/output/eve/eve-json-format.html. A flow is an event of
type ``flow``, a packet or a table's record one of type ``ml``; where the detector knows which
classes are benign, every other verdict is an ``alert`` instead, so that whatever reads Suricata's
alerts reads these.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.capture import address_text, community_id
from pipelines.datasets.keys import matrix, mix, numbers
from pipelines.operate.detector import DetectorManifest

PROTOCOLS = {
    1: "ICMP",
    2: "IGMP",
    6: "TCP",
    17: "UDP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "IPv6-ICMP",
    132: "SCTP",
}
WITH_PORTS = frozenset({6, 17, 132})
ICMP = frozenset({1, 58})

TOP = 3
# Rules of one's own begin at this generator id, so no rule of Suricata's has the same numbers.
GENERATOR = 1_000_000
SEVERITY = 2
FLOW_ID_BITS = 51  # as in Suricata: readers in JavaScript keep 53 bits of a number

_encoder = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
_address_text = lru_cache(maxsize=1 << 16)(address_text)


def eve_line(record: dict[str, Any]) -> str:
    """A record as one line of ASCII, without its end: no label or name reaches a terminal raw."""
    return _encoder.encode(record)


def flow_records(
    rows: pa.Table, probabilities: np.ndarray, manifest: DetectorManifest
) -> Iterator[dict[str, Any]]:
    """One record for each flow row; ``probabilities`` has the shape (rows, classes).

    ``timestamp`` and ``flow.end`` are the flow's last packet, ``age`` whole seconds as in Suricata,
    bytes are those of whole frames.
    """
    starts, ends = numbers(rows, "first_seen_ns"), numbers(rows, "last_seen_ns")
    flows = {
        "pkts_toserver": rows["src2dst_packets"].to_pylist(),
        "pkts_toclient": rows["dst2src_packets"].to_pylist(),
        "bytes_toserver": rows["src2dst_bytes"].to_pylist(),
        "bytes_toclient": rows["dst2src_bytes"].to_pylist(),
        "start": _timestamps(starts),
        "end": _timestamps(ends),
        "age": (ends // 10**9 - starts // 10**9).tolist(),
    }
    identities = _flow_ids(numbers(rows, "flow"), starts)
    for head, flow, verdict in zip(
        _heads(rows, flows["end"], identities, "flow"),
        _objects(flows),
        verdicts(probabilities, manifest),
        strict=True,
    ):
        yield {**head, "flow": flow, **verdict}


def packet_records(
    rows: pa.Table, probabilities: np.ndarray, manifest: DetectorManifest
) -> Iterator[dict[str, Any]]:
    """One record for each packet row; ``direction`` is that within the packet's flow."""
    seen = numbers(rows, "first_seen_ns")
    lengths = matrix(rows, "packet_length")[:, 0].tolist()
    identities = _flow_ids(numbers(rows, "flow"), np.zeros_like(seen))
    for head, length, verdict in zip(
        _heads(rows, _timestamps(seen), identities, "ml"),
        lengths,
        verdicts(probabilities, manifest),
        strict=True,
    ):
        verdict["ml"]["packet_length"] = abs(length)
        yield {**head, "direction": "to_client" if length < 0 else "to_server", **verdict}


def table_records(
    first_row: int, probabilities: np.ndarray, manifest: DetectorManifest
) -> Iterator[dict[str, Any]]:
    """One record for each record of a table; ``row`` counts those that could be read, from 1."""
    for row, verdict in enumerate(verdicts(probabilities, manifest), first_row):
        verdict["ml"]["row"] = row
        yield {"event_type": "ml", **verdict}


def verdicts(probabilities: np.ndarray, manifest: DetectorManifest) -> Iterator[dict[str, Any]]:
    """``ml`` for each row of ``probabilities``; with ``event_type`` and ``alert`` if it is one.

    ``unknown`` says that the best class stayed below the confidence asked of it. An unknown row is
    no alert.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    best = np.take_along_axis(probabilities, order, axis=1)
    asked = np.array([manifest.thresholds.get(name, 0.0) for name in manifest.classes])
    unknown = best[:, 0] < asked[order[:, 0]]
    alerts = [_alert(manifest, number) for number in range(len(manifest.classes))]
    for classes, values, is_unknown in zip(
        order.tolist(), np.round(best, 4).tolist(), unknown.tolist(), strict=True
    ):
        label, alert = manifest.classes[classes[0]], alerts[classes[0]]
        ml = {
            "detector": manifest.name,
            "model": manifest.model,
            "label": label,
            "confidence": values[0],
            "probabilities": {
                manifest.classes[number]: value
                for number, value in zip(classes, values, strict=True)
            },
            "unknown": is_unknown,
        }
        if alert is None or is_unknown:
            yield {"ml": ml}
        else:
            yield {"event_type": "alert", "alert": alert, "ml": ml}


def _alert(manifest: DetectorManifest, number: int) -> dict[str, Any] | None:
    """What an alert of class ``number`` says; None if it is benign, or no class is known to be."""
    label = manifest.classes[number]
    if not manifest.benign or label in manifest.benign:
        return None
    return {
        "action": "allowed",
        "gid": GENERATOR,
        "signature_id": number + 1,
        "rev": manifest.schema_version,
        "signature": f"{manifest.name}: {label}",
        "category": label,
        "severity": SEVERITY,
    }


def _heads(
    rows: pa.Table, timestamps: list[str], flow_ids: list[int], event_type: str
) -> Iterator[dict[str, Any]]:
    """The common section of EVE for each row: time, type, 5-tuple, Community ID."""
    columns = ("src_ip", "dst_ip", "src_port", "dst_port", "icmp_type", "icmp_code", "protocol")
    tuples = zip(*(rows[name].to_pylist() for name in columns), strict=True)
    for timestamp, flow_id, key in zip(timestamps, flow_ids, tuples, strict=True):
        src_ip, dst_ip, src_port, dst_port, icmp_type, icmp_code, protocol = key
        head: dict[str, Any] = {
            "timestamp": timestamp,
            "flow_id": flow_id,
            "event_type": event_type,
            "src_ip": _address_text(src_ip),
            "dest_ip": _address_text(dst_ip),
            "proto": PROTOCOLS.get(protocol) or f"{protocol:03d}",
        }
        if protocol in WITH_PORTS:
            head["src_port"], head["dest_port"] = src_port, dst_port
        if protocol in ICMP:
            src_port, dst_port = head["icmp_type"], head["icmp_code"] = icmp_type, icmp_code
        head["community_id"] = community_id(src_ip, dst_ip, src_port, dst_port, protocol)
        yield head


def _objects(columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Columns as one object a row."""
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))


def _timestamps(nanoseconds: npt.NDArray[np.int64]) -> list[str]:
    """ISO 8601 in UTC as Suricata writes it: ``2025-03-03T09:00:00.000001+0000``."""
    microseconds = nanoseconds.astype("datetime64[ns]").astype("datetime64[us]")
    return [text + "+0000" for text in np.datetime_as_string(microseconds).tolist()]


def _flow_ids(flow: npt.NDArray[np.int64], start: npt.NDArray[np.int64]) -> list[int]:
    """One number a flow: flows of one 5-tuple that a time-out parted differ by when they began."""
    mixed = mix(flow.astype(np.uint64) ^ mix(start.astype(np.uint64)))
    identities: list[int] = (mixed >> np.uint64(64 - FLOW_ID_BITS)).tolist()
    return identities
