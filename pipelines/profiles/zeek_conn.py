"""Zeek's conn.log: one line a connection, with its state and its history."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_state import Runs
from pipelines.capture.flow_table import Update
from pipelines.capture.settings import FlowSettings
from pipelines.capture.transport import TCP_PROTOCOL, UDP_PROTOCOL
from pipelines.profiles import zeek_history
from pipelines.profiles.lengths import Lengths, wire_lengths
from pipelines.profiles.open_flows import OpenFlows, runs_of, sums_by_way
from pipelines.profiles.profile import Column, Profile, rows_of, schema_of
from pipelines.profiles.zeek_identity import identity
from pipelines.profiles.zeek_states import (
    DATA,
    RESPONDER,
    advance,
    conn_state,
    tcp_codes,
    udp_state,
)

PUBLISHED = "https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html"
RECORD = np.dtype(
    [
        ("states", "u1", 2),
        ("ip_bytes", "i8", 2),
        ("payload_bytes", "i8", 2),
        ("packets", "i8", 2),  # with a transport header
        ("tcp", zeek_history.RECORD),
    ],
    align=True,
)
_COUNT, _TEXT = pa.uint64(), pa.string()


def _columns(settings: FlowSettings) -> tuple[Column, ...]:
    def column(name: str, kind: Any, group: str, unit: str, meaning: str, *also: str) -> Column:
        return Column(name, kind, group, unit, meaning, PUBLISHED, also)

    return (
        column("ts", pa.float64(), "time", "s", "First packet, seconds since 1970"),
        column(
            "uid",
            _TEXT,
            "addresses",
            "",
            "C and 17 letters or digits, a hash of the flow",
            "ports",
            "time",
        ),
        column("id.orig_h", _TEXT, "addresses", "", "Address that sent the first packet"),
        column("id.orig_p", pa.uint16(), "ports", "", "Its port; of ICMP the type"),
        column("id.resp_h", _TEXT, "addresses", "", "Address of the other side"),
        column(
            "id.resp_p", pa.uint16(), "ports", "", "Its port; of ICMP the answer's type or code"
        ),
        column("proto", _TEXT, "protocol", "", "tcp, udp, icmp or unknown_transport"),
        column("service", _TEXT, "protocol", "", "Unset: payload is not looked at"),
        column("duration", pa.float64(), "gaps", "s", "Last less first packet, unset if 0"),
        column("orig_bytes", _COUNT, "sizes", "bytes", "Payload sent, unset if the duration is 0"),
        column("resp_bytes", _COUNT, "sizes", "bytes", "And of the responder"),
        column("conn_state", _TEXT, "flags", "", "How the connection went; see above"),
        column("local_orig", pa.bool_(), "addresses", "", "Unset: no networks are known as local"),
        column("local_resp", pa.bool_(), "addresses", "", "Unset, likewise"),
        column("missed_bytes", _COUNT, "sizes", "bytes", "At least so many are in no packet"),
        column("history", _TEXT, "flags", "", "What happened, a letter an event; see above"),
        column("orig_pkts", _COUNT, "counts", "packets", "Packets of the originator"),
        column("orig_ip_bytes", _COUNT, "sizes", "bytes", "Their IP packets, as IP says"),
        column("resp_pkts", _COUNT, "counts", "packets", "Packets of the responder"),
        column("resp_ip_bytes", _COUNT, "sizes", "bytes", "Their IP packets, as IP says"),
        column(
            "tunnel_parents", _TEXT, "addresses", "", "Unset: tunnels are not flows of their own"
        ),
        Column(
            "community_id",
            _TEXT,
            "addresses",
            "",
            "Community ID, version 1, seed 0",
            "https://github.com/corelight/community-id-spec",
            ("ports",),
        ),
    )


class _ZeekConn:
    def __init__(self, settings: FlowSettings) -> None:
        self._schema = schema_of(_columns(settings))
        self._open = OpenFlows(RECORD)
        self._history: dict[int, str] = {}

    def add(self, batch: PacketBatch, update: Update) -> pa.Table:
        runs = runs_of(batch, update)
        numbers = update.number[runs.starts]
        places = self._open.places(numbers)
        records = self._open.records[places]
        lengths = wire_lengths(batch, runs.rows)
        records["ip_bytes"] += sums_by_way(lengths.ip, runs)
        records["payload_bytes"] += sums_by_way(lengths.payload, runs)
        records["packets"] += sums_by_way(batch.transport_offset[runs.rows] > 0, runs)
        for run, letters in _follow_tcp(records, runs, lengths).items():
            number = int(numbers[run])
            self._history[number] = self._history.get(number, "") + letters
        self._open.records[places] = records
        return self.end(update.ended)

    def end(self, flows: np.ndarray) -> pa.Table:
        records = self._open.take(flows["number"])
        histories = [self._history.pop(number, "") for number in flows["number"].tolist()]
        sizes, missed = _sizes(flows, records)
        seconds = (flows["last_ns"] - flows["first_ns"]) / 1e9
        instant = seconds == 0
        is_tcp = flows["protocol"] == TCP_PROTOCOL
        states = _conn_states(flows, records, sizes, histories)
        histories = _udp_histories(flows, records, histories)
        values = identity(flows) | {
            "duration": pa.array(seconds, mask=instant),
            "conn_state": pa.array(states, _TEXT),
            "missed_bytes": np.where(is_tcp, missed.sum(axis=1), 0),
            "history": pa.array([letters or None for letters in histories], _TEXT),
        }
        for way, name in enumerate(("orig", "resp")):
            values[f"{name}_bytes"] = pa.array(sizes[:, way].astype(np.uint64), mask=instant)
            values[f"{name}_pkts"] = flows["packets"][:, way]
            values[f"{name}_ip_bytes"] = records["ip_bytes"][:, way]
            values[f"local_{name}"] = pa.nulls(len(flows), pa.bool_())
        for name in ("service", "tunnel_parents"):
            values[name] = pa.nulls(len(flows), _TEXT)
        return rows_of(values, self._schema)


def _follow_tcp(records: np.ndarray, runs: Runs, lengths: Lengths) -> dict[int, str]:
    """Take the connections through their TCP packets; what that adds to histories, by run."""
    has_header = runs.column("transport_offset") > 0
    packets = np.flatnonzero((runs.column("protocol") == TCP_PROTOCOL) & has_header)
    if not len(packets):
        return {}
    only = Runs(
        runs.batch,
        runs.rows[packets],
        runs.run[packets],
        runs.starts,
        runs.backward[packets],
        runs.time_ns[packets],
    )
    payload = lengths.payload[packets]
    codes = tcp_codes(only.column("tcp_flags"))
    tcp, states = records["tcp"], records["states"]
    letters = zeek_history.update_history(tcp, only, codes, payload)
    marks = (payload > 0) * DATA + only.backward * RESPONDER
    advance(states, only.run, (codes + marks).astype(np.uint8))
    records["tcp"], records["states"] = tcp, states
    return letters


def _sizes(flows: np.ndarray, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Payload bytes both ways, and how many of them are in no packet, shape (flows, 2).

    Of TCP a side's payload is what its sequence numbers span, without SYN and FIN.
    """
    sent, tcp = records["payload_bytes"], records["tcp"]
    spanned = tcp["sequence"]["reached"] - tcp["closed"]
    spanned = np.where(tcp["sequence"]["begun"], np.maximum(spanned, 0), 0)
    sizes = np.where((flows["protocol"] == TCP_PROTOCOL)[:, None], spanned, sent)
    return sizes, np.maximum(sizes - sent, 0)


def _conn_states(
    flows: np.ndarray, records: np.ndarray, sizes: np.ndarray, histories: list[str]
) -> list[str]:
    states = np.full(len(flows), "OTH", "U6")
    is_udp, is_tcp = flows["protocol"] == UDP_PROTOCOL, flows["protocol"] == TCP_PROTOCOL
    states[is_udp] = udp_state(records["packets"][is_udp])
    tcp = np.flatnonzero(is_tcp).tolist()
    states[tcp] = conn_state(records["states"][tcp], sizes[tcp], [histories[i] for i in tcp])
    return [str(state) for state in states.tolist()]


def _udp_histories(flows: np.ndarray, records: np.ndarray, histories: list[str]) -> list[str]:
    """Histories with those of UDP, D and d: the originator always was first."""
    udp = flows["protocol"] == UDP_PROTOCOL
    sent = records["packets"] > 0
    letters = np.select(
        [udp & sent.all(axis=1), udp & sent[:, 0], udp & sent[:, 1]], ["Dd", "D", "d"], ""
    )
    return [own or new for own, new in zip(histories, letters.tolist(), strict=True)]


ZEEK_CONN = Profile(
    name="zeek-conn",
    title="Zeek's conn.log",
    unit="flow",
    notes="""\
Fields, order and meanings of `base/protocols/conn/main.zeek` with `community_id` behind them.
`--format tsv` writes Zeek's own form (`#separator` ... `#types`), `--format jsonl` its JSON form.

`conn_state` and `history` come from Zeek's state machine and letters: `S h a d f r` and so on, in
capitals for the originator, each as often as Zeek records it: `D A I Q` once a side, `S H F R`
again with another sequence number, `T` (sent again) and `W` (zero window) at the 1st, 10th, 100th
occurrence. Not derived: `C` (checksums are not verified), `G` (content gaps; `missed_bytes` counts
what the sequence numbers span and no packet holds, at least), `^` (the originator is who sent the
first packet; the roles are never exchanged) and `X`.

The states: `S0` an attempt without an answer, `S1` established and not closed, `SF` established and
closed by both, `REJ` rejected, `S2` and `S3` closed by the originator or the responder alone,
`RSTO` and `RSTR` reset by the originator or the responder, `RSTOS0` a SYN and then a RST of the
originator, `RSTRH` a RST of a responder whose peer is not seen, `SH` and `SHR` a close of one side
while the other is not seen, `OTH` anything else, and traffic that is neither TCP nor UDP. Of UDP,
`SF` is traffic both ways, and `S0` and `SHR` one way.

A connection is a flow of the flow table: time-outs end it, not FIN, RST or Zeek's own timers, and
one that grew too old goes on as another line. `duration` covers the packets after a close, too.
`orig_bytes` and `resp_bytes` of TCP are what the sequence numbers span, of others the sums of
payload lengths. `service`, `local_orig`, `local_resp` and `tunnel_parents` are unset: they need
dissection, a list of local networks, and flows of tunnels. `uid` is a hash of the 5-tuple and the
time of the first packet, so the same capture gives the same one.""",
    columns=_columns,
    open=_ZeekConn,
)
