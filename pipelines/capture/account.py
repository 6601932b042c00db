"""The account of decoded packets: each counts as decoded, or as skipped for a reason."""

import numpy as np

from pipelines.capture.batch import PacketBatch
from pipelines.capture.health import CaptureHealth
from pipelines.capture.link_names import LINK_NAMES
from pipelines.capture.tunnel_names import TUNNEL_NAMES, Tunnel
from pipelines.capture.walk import (
    LINK,
    MALFORMED,
    MALFORMED_LINK,
    NOT_CAPTURED,
    NOT_IP,
    OTHER_LLC,
    OTHER_MPLS,
    PPP_PROTOCOL,
    WIFI_CONTROL,
    WIFI_EMPTY,
    WIFI_ENCRYPTED,
    WIFI_MANAGEMENT,
    Types,
)

REASONS = {
    NOT_IP: "not IP",
    NOT_CAPTURED: "cut off before the end of the IP header",
    MALFORMED: "malformed IP header",
    MALFORMED_LINK: "malformed link header",
    OTHER_LLC: "not IP (802.3 frame)",
    OTHER_MPLS: "not IP (MPLS)",
    WIFI_MANAGEMENT: "802.11 management frame",
    WIFI_CONTROL: "802.11 control frame",
    WIFI_EMPTY: "802.11 frame without data",
    WIFI_ENCRYPTED: "encrypted 802.11 frame",
}


def count_packets(batch: PacketBatch, types: Types, health: CaptureHealth) -> None:
    """Add decoded packets to ``health``; ``types`` is where the walk of each ended."""
    if not len(batch):
        return
    health.packets += len(batch)
    health.decoded += int(np.count_nonzero(batch.ip_version))
    health.truncated += int(np.count_nonzero(batch.captured_length < batch.wire_length))
    health.add_times(int(batch.time_ns.min()), int(batch.time_ns.max()))
    for code, count in _counted(batch.link_type):
        health.link_types[code] = health.link_types.get(code, 0) + count
    for code, count in _counted(batch.tunnel):
        if code:
            name = TUNNEL_NAMES[Tunnel(code)]
            health.tunnels[name] = health.tunnels.get(name, 0) + count
    for code, count in _counted(types[batch.ip_version == 0]):
        health.add_skipped(reason(code), count)


def _counted(values: np.ndarray) -> list[tuple[int, int]]:
    """Each value and how often it occurs; a capture has one link type as a rule."""
    if len(values) and (values == values[0]).all():
        return [(int(values[0]), len(values))]
    codes, counts = np.unique(values, return_counts=True)
    return list(zip(codes.tolist(), counts.tolist(), strict=True))


def reason(code: int) -> str:
    """Why a packet whose walk ended at the kind ``code`` was skipped."""
    if code in REASONS:
        return REASONS[code]
    if code >= LINK:
        name = LINK_NAMES.get(code - LINK)
        return f"unsupported link type {code - LINK}" + (f" ({name})" if name else "")
    if code >= PPP_PROTOCOL:
        return f"not IP (PPP 0x{code - PPP_PROTOCOL:04x})"
    return f"not IP (0x{code:04x})"
