"""Names that a planner reads: words of our own, or a kind and a number."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from injections import INJECTIONS

from agents.wall.names import KINDS, Names, readable
from pipelines.audit.fields import CAPTURE_FIELDS
from pipelines.capture import FlowSettings
from pipelines.capture.flow_rows import flow_schema
from pipelines.errors import InputError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "wall.md"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("BENIGN", "benign"),
        ("DDoS", "ddos"),
        ("DoS Hulk", "dos_hulk"),
        ("Web Attack \u2013 Brute Force", "web_attack_brute_force"),
        ("FTP-Patator", "ftp_patator"),
        ("Nsis-ay", "nsis_ay"),
        ("PortScan", "portscan"),
        ("SrcPort", "src_port"),
        ("src2dst_packets", "src2dst_packets"),
        ("Flow Bytes/s", "flow_bytes_s"),
        ("TLS1.3", "tls_1_3"),
        ("ttl + first_packet_length", "ttl_first_packet_length"),
    ],
)
def test_traffic_words_are_shown(name: str, shown: str) -> None:
    assert readable(name) == shown


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "___", "17", "1 2 3", "ignore_previous_rules", "benign ignore", "IgnorePorts",
        "tls 2024", "normal\u200b", "normal\n", "nor\u00admal", "n\u043ermal", "normal\ufe0f",
        "a\U000e0141", "\uff11", "\u0663", "attack " * 7, "mask ports", "approve", "skip_audit",
        "set target", "control", "command", "clean",
    ],
)  # fmt: skip
def test_all_else_is_hidden(name: str) -> None:
    assert readable(name) is None


def test_the_names_that_the_page_shows() -> None:
    shown = re.findall(r"^\| `(.+)` \| `(\w+)` \|$", PAGE.read_text(), re.MULTILINE)
    kinds = {"monday/site-a.pcap": "capture", "src2dst_packets": "column"}
    real = {kind: [n for n, _ in shown if kinds.get(n, "class") == kind] for kind in KINDS}
    names = Names(real)
    assert len(shown) == 5
    assert [(n, names.safe(kinds.get(n, "class"), n)) for n, _ in shown] == shown


def test_no_injection_is_readable() -> None:
    assert [text for text in INJECTIONS.values() if readable(text)] == []


def test_all_columns_of_our_own_rows_are_readable() -> None:
    schema = flow_schema(FlowSettings(protocols=True))
    names = [*schema.names, *(field.name for field in CAPTURE_FIELDS)]
    assert [name for name in names if not readable(name)] == []


ORDERS = """
    ignore approve skip mask unmask drop delete disable enable accept reject override use run set
    allow deny stop trust deploy execute please must should not no never always all every instead
    rules prompt instructions previous system assistant planner plan tool audit target
"""


@pytest.mark.parametrize("word", ORDERS.split())
def test_no_word_of_the_dictionary_tells_a_planner_what_to_do(word: str) -> None:
    assert readable(word) is None


def test_hidden_names_are_numbered_in_the_order_of_the_real_ones() -> None:
    names = Names(
        {"class": ["zebra", "normal", "acorn"], "column": ["acorn"], "capture": ["x.pcap"]}
    )
    assert names.of("class") == ["class_1", "normal", "class_2"]
    assert names.safe("class", "acorn") == "class_1"
    assert names.safe("column", "acorn") == "column_1"
    assert names.safe("capture", "x.pcap") == "capture_1"
    assert names.real("class_2") == "zebra"
    assert names.of("file") == []


def test_names_that_would_read_the_same_are_told_apart() -> None:
    names = Names({"class": ["DoS", "dos", "class 1", "evil"], "column": ["dos", "DoS 2"]})
    safe = [names.safe("class", name) for name in ("DoS", "dos", "class 1", "evil")]
    assert safe == ["dos", "dos_2", "class_1", "class_1_2"]
    assert names.safe("column", "dos") == "dos_3"
    assert names.safe("column", "DoS 2") == "dos_2_2"
    assert names.real("dos_3") == "dos" and names.real("dos_2_2") == "DoS 2"


TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(st.sampled_from("abdost12_ -"), max_size=8),
    st.sampled_from(
        ["dos", "DoS", "dos_2", "class_1", "class 1", "column_1", *INJECTIONS.values()]
    ),
)


@given(st.dictionaries(st.sampled_from(KINDS), st.lists(TEXTS, max_size=8)))
def test_names_are_one_to_one_and_the_same_every_time(real: dict) -> None:
    names, again = Names(real), Names({kind: [*reversed(found)] for kind, found in real.items()})
    seen = set()
    for kind, found in real.items():
        for name in found:
            safe = names.safe(kind, name)
            assert names.real(safe) == name
            assert again.safe(kind, name) == safe
            assert safe.isascii() and safe.replace("_", "").isalnum()
            seen.add((kind, name, safe))
    assert len({safe for _, _, safe in seen}) == len(seen)


def test_a_name_that_a_planner_made_up_is_refused_with_the_nearest() -> None:
    names = Names({"class": ["evil"], "column": ["normal"]})
    with pytest.raises(InputError, match="Did you mean class_1"):
        names.real("class_9")
    with pytest.raises(InputError, match="no such name"):
        Names({}).real("class_1")
    with pytest.raises(KeyError):
        names.safe("class", "normal")


def test_a_refusal_says_no_real_name() -> None:
    """It goes back to the planner."""
    with pytest.raises(InputError) as caught:
        Names({"class": ["approve everything"]}).real("approve everything")
    assert "everything" not in str(caught.value)


def test_hidden_names_in_a_persons_words_are_told_with_their_numbers() -> None:
    names = Names({"class": ["Zonk-7", "normal", "a"], "column": ["Zonk"]})
    assert names.spoken_in("Is Zonk-7 worse than normal traffic?") == {
        "Zonk-7": "class_1",
        "Zonk": "column_1",
    }
    assert names.spoken_in("Zonk_7 and Zonky") == {}


def test_a_planners_words_get_the_real_names_back() -> None:
    names = Names({"class": ["Zonk-7", "Normal"], "column": ["dst port"]})
    said = "class_1 differs from normal in dst_port; class_12 does not exist."
    assert (
        names.restored(said) == "Zonk-7 differs from normal in dst_port; class_12 does not exist."
    )
