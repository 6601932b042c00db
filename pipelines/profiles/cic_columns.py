"""The columns of CICFlowMeter 4: names, meanings, and what was wrong with them."""

from typing import Any

import pyarrow as pa

from pipelines.capture.settings import FlowSettings
from pipelines.profiles.profile import Column

PUBLISHED = "https://www.unb.ca/cic/research/applications.html"
WAYS = ("Fwd", "Bwd")
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "cwr", "ece")
_WHOLE, _REAL, _TEXT = pa.int64(), pa.float64(), pa.string()
_SENSE = {"Max": "Greatest", "Min": "Least", "Mean": "Mean", "Std": "Sample standard deviation of"}
NOTES = """\
Names and order are CICFlowMeter 4's. Its values are not: the faults below are known from its source
and from Engelen, Rimmer, Joosen, *Troubleshooting an Intrusion Detection Dataset* (2021), and Liu
et al., *Error Prevalence in NIDS datasets* (2022). So these rows are **not** comparable with the
published CIC-IDS2017 and CSE-CIC-IDS2018 tables.

Mended, fault by fault:

- A flow ended at the first FIN, and the ACKs after it became a flow of their own: flows end by the
  time-outs of the flow table.
- The first packet was counted twice in `Packet Length *` and `Average Packet Size`: once.
- `Down/Up Ratio`, bulk and subflow columns were divided as integers: they are real numbers.
- A misplaced bracket (`time - last / 1e6`) made every packet a subflow and an active period: a
  subflow begins after more than 1 s of silence, an active period after more than 5 s.
- Subflows were counted from 0, so a flow without a gap had none: they are counted from 1.
- The last active period was missing and a made-up idle time was added at the end: every period
  counts (0 µs for a lone packet), and idle times are the silences between them.
- Sides were compared by reference, so that every packet was backward in bulks: by address and port.
- `Bwd Bytes/Bulk Avg` held the forward value: it is the backward one.
- Flag counts were written in the order of a hash table: each stands under its own name.
- `PSH` and `URG` of a direction were counted in its first packet only: in all packets.
- `Bwd Init Win Bytes` was that of the last packet, and `Fwd Act Data Pkts` left out the first: the
  first packet's window, and all packets.
- Ethernet padding counted as payload: payload ends where the IP header says.
- Rates were Infinity or NaN where the duration is 0: they are empty.
- `Fwd Header Length` came twice in older versions: once.
- `Timestamp` was local time on a 12-hour clock without AM and PM: UTC, ISO 8601, microseconds.

Lengths are payload lengths, as in CICFlowMeter. A *bulk* is a row of at least four packets with
payload that go one way, none more than 1 s after the one before, and none with payload the other
way between them."""


def cic_columns(settings: FlowSettings) -> tuple[Column, ...]:
    """All columns, in CICFlowMeter's order."""

    def column(
        name: str,
        kind: Any,
        group: str,
        unit: str,
        meaning: str,
        source: str = PUBLISHED,
        also: tuple[str, ...] = (),
    ) -> Column:
        return Column(name, kind, group, unit, meaning, source, also)

    def spread(name: str, order: str, group: str, unit: str, what: str) -> list[Column]:
        return [
            column(f"{name} {sense}", _REAL, group, unit, f"{_SENSE[sense]} {what}")
            for sense in order.split()
        ]

    both = (("Fwd", "forward", "the source"), ("Bwd", "backward", "the destination"))
    return (
        column(
            "Flow ID",
            _TEXT,
            "addresses",
            "",
            "Addresses, ports and protocol with hyphens",
            also=("ports", "protocol"),
        ),
        column("Src IP", _TEXT, "addresses", "", "Address that sent the first packet"),
        column("Src Port", pa.uint16(), "ports", "", "Its port, 0 if none"),
        column("Dst IP", _TEXT, "addresses", "", "Address of the other side"),
        column("Dst Port", pa.uint16(), "ports", "", "Its port, 0 if none"),
        column("Protocol", pa.uint8(), "protocol", "", "IP protocol number"),
        column("Timestamp", pa.timestamp("us", "UTC"), "time", "", "First packet, UTC"),
        column("Flow Duration", _WHOLE, "gaps", "µs", "Last packet less first"),
        *(
            column(name, _WHOLE, "counts", "packets", f"Packets {way}")
            for name, way in (("Total Fwd Packet", "forward"), ("Total Bwd packets", "backward"))
        ),
        *(
            column(f"Total Length of {way} Packet", _WHOLE, "sizes", "bytes", f"Payload {word}")
            for way, word, _ in both
        ),
        *(
            c
            for way, word, _ in both
            for c in spread(
                f"{way} Packet Length", "Max Min Mean Std", "sizes", "bytes", f"payload {word}"
            )
        ),
        column(
            "Flow Bytes/s",
            _REAL,
            "sizes",
            "bytes/s",
            "Empty where the duration is 0",
            "(payload both ways) / duration",
            ("gaps",),
        ),
        column(
            "Flow Packets/s",
            _REAL,
            "counts",
            "1/s",
            "Empty where the duration is 0",
            "packets / duration",
            ("gaps",),
        ),
        *spread("Flow IAT", "Mean Std Max Min", "gaps", "µs", "time between packets, 0 if none"),
        *(
            c
            for way, word, _ in both
            for c in (
                column(f"{way} IAT Total", _REAL, "gaps", "µs", f"Last less first packet {word}"),
                *spread(
                    f"{way} IAT", "Mean Std Max Min", "gaps", "µs", f"time between packets {word}"
                ),
            )
        ),
        *(
            column(f"{way} {flag} Flags", _WHOLE, "flags", "packets", f"{word} with {flag}")
            for flag in ("PSH", "URG")
            for way, word, _ in both
        ),
        *(
            column(
                f"{way} Header Length",
                _WHOLE,
                "sizes",
                "bytes",
                f"Transport headers {word}",
                "sum of TCP data offset x 4, UDP 8, ICMP 8, SCTP 12, other 0",
            )
            for way, word, _ in both
        ),
        *(
            column(
                f"{way} Packets/s",
                _REAL,
                "counts",
                "1/s",
                "Empty where the duration is 0",
                f"packets {word} / duration of the flow",
                ("gaps",),
            )
            for way, word, _ in both
        ),
        *spread("Packet Length", "Min Max Mean Std", "sizes", "bytes", "payload both ways"),
        column("Packet Length Variance", _REAL, "sizes", "bytes²", "Square of the column before"),
        *(
            column(f"{flag.upper()} Flag Count", _WHOLE, "flags", "packets", "Packets both ways")
            for flag in FLAGS
        ),
        column(
            "Down/Up Ratio",
            _REAL,
            "counts",
            "",
            "Packets backward a packet forward",
            "backward / forward packets",
        ),
        column(
            "Average Packet Size",
            _REAL,
            "sizes",
            "bytes",
            "Mean payload both ways",
            "equals Packet Length Mean",
        ),
        *(
            column(
                f"{way} Segment Size Avg",
                _REAL,
                "sizes",
                "bytes",
                f"Mean payload {word}",
                f"equals {way} Packet Length Mean",
            )
            for way, word, _ in both
        ),
        *(
            c
            for way, word, _ in both
            for c in (
                column(
                    f"{way} Bytes/Bulk Avg",
                    _REAL,
                    "sizes",
                    "bytes",
                    "Mean payload of a bulk",
                    f"payload in bulks {word} / bulks {word}, 0 without",
                ),
                column(
                    f"{way} Packet/Bulk Avg",
                    _REAL,
                    "counts",
                    "packets",
                    "Mean length of a bulk",
                    f"packets in bulks {word} / bulks {word}, 0 without",
                ),
                column(
                    f"{way} Bulk Rate Avg",
                    _REAL,
                    "sizes",
                    "bytes/s",
                    "Rate within bulks",
                    f"payload in bulks {word} / their time, 0 without",
                    ("gaps",),
                ),
            )
        ),
        *(
            c
            for way, word, _ in both
            for c in (
                column(
                    f"Subflow {way} Packets",
                    _REAL,
                    "counts",
                    "packets",
                    "Mean of a subflow",
                    f"packets {word} / subflows",
                ),
                column(
                    f"Subflow {way} Bytes",
                    _REAL,
                    "sizes",
                    "bytes",
                    "Mean payload of a subflow",
                    f"payload {word} / subflows",
                ),
            )
        ),
        column(
            "FWD Init Win Bytes", _WHOLE, "sizes", "bytes", "Window of the first packet forward"
        ),
        column(
            "Bwd Init Win Bytes", _WHOLE, "sizes", "bytes", "And of the first backward, 0 if none"
        ),
        column("Fwd Act Data Pkts", _WHOLE, "counts", "packets", "Packets forward with payload"),
        column(
            "Fwd Seg Size Min",
            _WHOLE,
            "sizes",
            "bytes",
            "Shortest transport header forward (a header, whatever the name says)",
        ),
        *spread("Active", "Mean Std Max Min", "gaps", "µs", "active period"),
        *spread("Idle", "Mean Std Max Min", "gaps", "µs", "silence between active periods, or 0"),
    )
