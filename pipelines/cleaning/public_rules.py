"""Rules for public tables: what the tools that made them can have written, column by column.

KDD Cup 99 and NSL-KDD: features from Bro's connection log (Lee and Stolfo, 1998); counts over two
seconds end at 511, those over connections at 255. UNSW-NB15: Argus and Bro (Moustafa and Slay,
2015). CIC sets: CICFlowMeter. No row of the NSL-KDD and UNSW-NB15 files as published breaks one.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.cleaning.kinds import Flags
from pipelines.cleaning.rules import IMPOSSIBLE, Rule, numeric, texts

# Connections that never came to exchange data (Bro's conn_state).
NO_DATA = ("s0", "rej", "sh", "oth")
TCP_CONTENT = (
    *("hot", "num_failed_logins", "logged_in", "num_compromised", "root_shell", "num_root"),
    *("num_file_creations", "num_shells", "is_guest_login", "urgent"),
)
ICMP_SERVICES = ("ecr_i", "eco_i", "urp_i", "urh_i", "red_i", "tim_i")
TCP_STATES = ("fin", "rst", "clo", "acc", "par")
MOST = {"count": 511, "srv_count": 511, "dst_host_count": 255, "dst_host_srv_count": 255}
HUNDREDTHS = 0.021  # what two shares that were rounded may be off by
UNIT = 1.0  # what a mean that was rounded to a whole number may be off by
MICRO = 1e-5
HEADER = 20
PART = 0.01


def either(rows: pa.Table, *names: str) -> Flags:
    """Whether any of these columns is above zero."""
    return np.asarray(np.any([numeric(rows, name) > 0 for name in names], axis=0))


def unlike(rows: pa.Table, columns: Sequence[str], room: float) -> Flags:
    """Whether a total is not mean times count, with ``room`` for each that is counted.

    ``columns``: the total, the mean and the count.
    """
    total, mean, count = columns
    many = numeric(rows, count)
    off = np.abs(numeric(rows, total) - numeric(rows, mean) * many)
    return np.asarray((many > 0) & (off > room * many + PART * numeric(rows, total)))


def tcp(rows: pa.Table, column: str) -> Flags:
    """Whether a record is of TCP."""
    return np.asarray(texts(rows, column) == "tcp")


KDD = (
    *(
        Rule(
            f"its flag says that no data was exchanged, but {name} is not zero",
            IMPOSSIBLE,
            ("flag", name),
            lambda rows, name=name: np.isin(texts(rows, "flag"), NO_DATA) & either(rows, name),  # type: ignore[misc]
        )
        for name in ("src_bytes", "dst_bytes")
    ),
    Rule(
        "it has a TCP flag but is not TCP",
        IMPOSSIBLE,
        ("protocol_type", "flag"),
        lambda rows: ~tcp(rows, "protocol_type") & (texts(rows, "flag") != "sf"),
    ),
    Rule(
        "ICMP has no duration and no answer",
        IMPOSSIBLE,
        ("protocol_type", "duration", "dst_bytes"),
        lambda rows: (
            (texts(rows, "protocol_type") == "icmp") & either(rows, "duration", "dst_bytes")
        ),
    ),
    Rule(
        "it has a login or its content but is not TCP",
        IMPOSSIBLE,
        ("protocol_type", *TCP_CONTENT),
        lambda rows: ~tcp(rows, "protocol_type") & either(rows, *TCP_CONTENT),
    ),
    Rule(
        "its service is one of ICMP and its protocol is not, or the other way round",
        IMPOSSIBLE,
        ("protocol_type", "service"),
        lambda rows: (
            (texts(rows, "protocol_type") == "icmp")
            != np.isin(texts(rows, "service"), ICMP_SERVICES)
        ),
    ),
    Rule(
        "it goes to where it came from (land) without ports",
        IMPOSSIBLE,
        ("protocol_type", "land"),
        lambda rows: (texts(rows, "protocol_type") == "icmp") & either(rows, "land"),
    ),
    Rule(
        "its error rates add up to more than all",
        IMPOSSIBLE,
        ("serror_rate", "rerror_rate", "flag"),
        lambda rows: numeric(rows, "serror_rate") + numeric(rows, "rerror_rate") > 1 + HUNDREDTHS,
    ),
    *(
        Rule(
            f"{name} is above {most}",
            IMPOSSIBLE,
            (name, "protocol_type", "flag"),
            lambda rows, name=name, most=most: numeric(rows, name) > most,  # type: ignore[misc]
        )
        for name, most in MOST.items()
    ),
)
UNSW = (
    Rule(
        "it has a TCP state but is not TCP",
        IMPOSSIBLE,
        ("proto", "state", "sttl"),
        lambda rows: ~tcp(rows, "proto") & np.isin(texts(rows, "state"), TCP_STATES),
    ),
    Rule(
        "it is TCP in a state that only others have",
        IMPOSSIBLE,
        ("proto", "state", "sttl"),
        lambda rows: tcp(rows, "proto") & (texts(rows, "state") == "int"),
    ),
    Rule(
        "it has TCP windows or round trips but is not TCP",
        IMPOSSIBLE,
        ("proto", "swin", "dwin", "tcprtt"),
        lambda rows: ~tcp(rows, "proto") & either(rows, "swin", "dwin", "tcprtt"),
    ),
    Rule(
        "its round trip is not the sum of its parts",
        IMPOSSIBLE,
        ("tcprtt", "synack", "ackdat"),
        lambda rows: (
            np.abs(numeric(rows, "tcprtt") - numeric(rows, "synack") - numeric(rows, "ackdat"))
            > MICRO
        ),
    ),
    *(
        Rule(
            f"{size} is not {mean} times {count}",
            IMPOSSIBLE,
            (size, mean, count),
            lambda rows, size=size, mean=mean, count=count: unlike(  # type: ignore[misc]
                rows, (size, mean, count), UNIT
            ),
        )
        for size, mean, count in (("sbytes", "smean", "spkts"), ("dbytes", "dmean", "dpkts"))
    ),
    *(
        Rule(
            f"{size} is less than the headers of {count}",
            IMPOSSIBLE,
            (size, count),
            lambda rows, size=size, count=count: (  # type: ignore[misc]
                numeric(rows, size) < HEADER * numeric(rows, count)
            ),
        )
        for size, count in (("sbytes", "spkts"), ("dbytes", "dpkts"))
    ),
    *(
        Rule(
            f"{name} does not fit its byte",
            IMPOSSIBLE,
            (name, "proto"),
            lambda rows, name=name: numeric(rows, name) > 255,  # type: ignore[misc]
        )
        for name in ("sttl", "dttl", "swin", "dwin")
    ),
)
CIC = (
    Rule(
        "it has no packet from its sender",
        IMPOSSIBLE,
        ("Total_Fwd_Packets", "Flow_Duration"),
        lambda rows: numeric(rows, "Total_Fwd_Packets") < 1,
    ),
    *(
        Rule(
            f"the length of its {name} packets is not their mean times their number",
            IMPOSSIBLE,
            columns,
            lambda rows, columns=columns: unlike(rows, columns, PART),  # type: ignore[misc]
        )
        for name, columns in {
            "forward": (
                *("Total_Length_of_Fwd_Packets", "Fwd_Packet_Length_Mean"),
                "Total_Fwd_Packets",
            ),
            "backward": (
                *("Total_Length_of_Bwd_Packets", "Bwd_Packet_Length_Mean"),
                "Total_Backward_Packets",
            ),
        }.items()
    ),
    *(
        Rule(
            f"{longest} is longer than the flow",
            IMPOSSIBLE,
            (longest, "Flow_Duration"),
            lambda rows, longest=longest: (  # type: ignore[misc]
                numeric(rows, longest) > numeric(rows, "Flow_Duration")
            ),
        )
        for longest in ("Flow_IAT_Max", "Fwd_IAT_Max", "Bwd_IAT_Max")
    ),
)
PUBLIC_RULES: tuple[Rule, ...] = (*KDD, *UNSW, *CIC)
