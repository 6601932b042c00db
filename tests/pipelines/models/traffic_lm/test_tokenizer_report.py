"""Counts of tokens, by hand; TrafficLLM's form as its own profile writes it; exact round trips."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import normalizers
from traffic_lm_bases import plain_base, traffic_base

from pipelines.capture import CaptureHealth, FlowSettings
from pipelines.datasets.loaders.packet_text import PACKET_MARK, parse_packet, split_instruction
from pipelines.errors import InputError, NetloopError
from pipelines.models.traffic_lm.base import Base, load_base
from pipelines.models.traffic_lm.tokenizer_report import (
    Cost,
    check_round_trip,
    divided,
    field_text,
    teach_traffic,
)
from pipelines.profiles.export import profile_rows
from pipelines.profiles.registry import PROFILES
from pipelines.represent.corpus import traffic_corpus
from pipelines.represent.traffic_text import PacketText, RowText
from pipelines.represent.traffic_tokens import SIGNS

TCP, UDP, ICMP = (4, 6), (4, 17), (4, 1)
HELLO = bytes.fromhex("160301020001000001fc0303")


def flow(number: int, payload: bytes = HELLO) -> RowText:
    """A handshake and a first request; every ``number`` another flow."""
    return RowText(
        kind=TCP,
        values={"n": f"{number}>1", "b": f"{100 + number}>74"},
        packets=(
            PacketText(backward=False, length=74, flags=2),
            PacketText(backward=True, length=74, flags=18, gap_us=21_000),
            PacketText(backward=False, length=66 + len(payload), flags=24, payload=payload),
        ),
    )


def new_base(folder: Path | None = None) -> Base:
    if folder is not None:
        return load_base(str(traffic_base(folder)))
    return Base("plain", *plain_base(), "")


FLOWS = [flow(number) for number in range(1, 41)]


def counts(base: Base, texts: Sequence[str]) -> list[int]:
    return [len(base.tokenizer.encode(text, add_special_tokens=False)) for text in texts]


def check_cost(cost: Cost, base: Base, flows: Sequence[str], packets: Sequence[str]) -> None:
    """The cost is what the tokenizer says of each text, one by one."""
    for spread, texts in ((cost.flow, flows), (cost.packet, packets)):
        each = counts(base, texts)
        assert spread.mean == pytest.approx(np.mean(each))
        assert spread.median == pytest.approx(np.median(each))
        assert spread.p95 == pytest.approx(np.percentile(each, 95))


def test_costs_are_the_tokens_of_every_text() -> None:
    judged = [flow(41), flow(42, b"\x00\x01"), flow(43, b"")]
    base, untaught = new_base(), new_base()
    report = teach_traffic(base, FLOWS, judged, size=400)
    packets = [packet for row in judged for packet in row.packets]
    fields = [[field_text(packet, TCP) for packet in row.packets] for row in judged]
    check_cost(report.before, untaught, [*map(str, judged)], [*map(str, packets)])
    check_cost(report.after, base, [*map(str, judged)], [*map(str, packets)])
    check_cost(
        report.fields, untaught, ["\n".join(f) for f in fields], [t for f in fields for t in f]
    )
    assert (report.flows, report.packets) == (3, 9)
    assert report.vocabulary == len(base.tokenizer) > len(untaught.tokenizer)
    assert report.share_of_fields == report.after.flow.mean / report.fields.flow.mean < 0.2


def test_what_was_learned_is_one_token() -> None:
    """The request's first bytes stand in 40 flows: 12 bytes cost fewer tokens than bytes."""
    report = teach_traffic(new_base(), FLOWS, [flow(41)], size=400)
    assert report.after.payload_bytes_a_token == 12
    # a sign of three bytes in UTF-8 that the tokenizer never met
    assert report.before.payload_bytes_a_token == pytest.approx(1 / 3, abs=0.01)
    base, nothing = new_base(), teach_traffic(new_base(), FLOWS, [flow(41)], size=len(SIGNS))
    assert nothing.after.payload_bytes_a_token == 1
    assert nothing.tokens == len(SIGNS)
    few = teach_traffic(base, FLOWS, [flow(41)], size=400, least=41)
    assert few.tokens < report.tokens


def test_without_payload_there_is_nothing_to_divide() -> None:
    report = teach_traffic(new_base(), FLOWS, [flow(1, b"")], size=300)
    assert report.fields.payload_bytes_a_token is None
    assert report.after.payload_bytes_a_token is None


def test_the_same_flows_teach_the_same_tokens() -> None:
    one, two = new_base(), new_base()
    reports = [teach_traffic(base, FLOWS, FLOWS[:5], size=400) for base in (one, two)]
    assert reports[0] == reports[1]
    assert one.tokenizer.get_vocab() == two.tokenizer.get_vocab()


def test_a_base_with_traffic_tokens_keeps_them_and_gains_new_ones(tmp_path: Path) -> None:
    base = new_base(tmp_path / "base")
    known, rows = base.tokenizer.get_vocab(), base.model.get_input_embeddings().weight.clone()
    report = teach_traffic(base, FLOWS, FLOWS[:5], size=400)
    now = base.tokenizer.get_vocab()
    assert {token: now[token] for token in known} == known
    assert report.tokens == len(now) - len(known) > 0
    weights = base.model.get_input_embeddings().weight
    assert weights.shape[0] >= len(now)
    assert bool((weights[: len(known)] == rows[: len(known)]).all())
    assert teach_traffic(base, FLOWS, FLOWS[:5], size=400).tokens == 0


def test_progress_ends_at_its_total() -> None:
    seen: dict[str, tuple[float, float | None]] = {}

    def note(what: str, done: float, total: float | None, unit: str) -> None:
        seen[what] = (done, total)

    teach_traffic(new_base(), FLOWS, FLOWS[:5], size=300, progress=note)
    assert len(seen) == 3
    assert all(done == total == 5 + 15 + 5 for done, total in seen.values())


@pytest.mark.parametrize(
    ("packet", "kind", "expected"),
    [
        (
            PacketText(backward=True, length=78, flags=0x18, gap_us=5, payload=HELLO),
            TCP,
            "frame.len: 78, ip.version: 4, ip.len: 64, ip.proto: 6, tcp.hdr_len: 20, "
            "tcp.flags: 0x00000018, tcp.flags.fin: 0, tcp.flags.syn: 0, tcp.flags.reset: 0, "
            "tcp.flags.push: 1, tcp.flags.ack: 1, tcp.flags.urg: 0, tcp.flags.ecn: 0, "
            "tcp.flags.cwr: 0, tcp.window_size_value: 0, tcp.payload: 160301020001000001fc0303",
        ),
        (
            PacketText(backward=False, length=44, payload=b"\x00\xff"),
            UDP,
            "frame.len: 44, ip.version: 4, ip.len: 30, ip.proto: 17, data.len: 2, data.data: 00ff",
        ),
        (
            PacketText(backward=False, length=42),
            ICMP,
            "frame.len: 42, ip.version: 4, ip.len: 28, ip.proto: 1",
        ),
    ],
    ids=["tcp", "udp", "icmp"],
)
def test_a_packet_in_trafficllms_form(
    packet: PacketText, kind: tuple[int, int], expected: str
) -> None:
    assert field_text(packet, kind) == f"{PACKET_MARK} {expected}"


def test_the_fields_are_those_that_the_profile_writes(tiny_lab: Path) -> None:
    """Every packet of a capture, as the exporter of TrafficLLM's packets writes it."""
    settings = FlowSettings(first_packets=1024, payload_packets=64, payload_bytes=1500)
    profile = PROFILES["trafficllm"]
    for capture in (tiny_lab / "dns" / "2025-03-03.pcap", tiny_lab / "web" / "2025-03-03.pcap"):
        written = Counter(
            told(split_instruction(text)[1])
            for rows in profile_rows(capture, profile, settings, health=CaptureHealth())
            for text in rows["instruction"].to_pylist()
        )
        (rows,) = traffic_corpus([capture], settings=settings).values()
        ours = Counter(
            told(field_text(packet, row.kind or (0, 0)).removeprefix(PACKET_MARK))
            for row in rows
            for packet in row.packets
        )
        assert ours.total() > 20
        assert ours == written


def told(text: str) -> tuple[tuple[str, str], ...]:
    """The fields of a packet, those that no row keeps by their names alone."""
    others = ("tcp.hdr_len", "tcp.window_size_value")
    fields = parse_packet(text.strip())
    return tuple((name, "" if name in others else value) for name, value in fields)


def test_every_tenth_capture_is_judged() -> None:
    corpus = {f"{number:02}.pcap": [flow(number)] for number in range(25)}
    learned, judged = divided(corpus, 10)
    assert judged == [flow(9), flow(19)]
    assert len(learned) == 23
    assert not set(map(str, learned)) & set(map(str, judged))


def test_of_few_captures_the_last_is_judged() -> None:
    corpus = {"a": [flow(1)], "empty": [], "b": [flow(2)], "c": [flow(3)]}
    assert divided(corpus, 10) == ([flow(1), flow(2)], [flow(3)])


@pytest.mark.parametrize("corpus", [{}, {"a": FLOWS}, {"a": FLOWS, "empty": []}])
def test_one_capture_cannot_be_divided(corpus: dict[str, list[RowText]]) -> None:
    with pytest.raises(InputError, match="one capture"):
        divided(corpus, 2)


def test_any_tokenizer_that_loses_something_is_refused() -> None:
    base = new_base()
    tokenizer = base.tokenizer.backend_tokenizer
    check_round_trip(base, [str(flow(1))])
    tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(NetloopError, match="does not keep what traffic says") as caught:
        check_round_trip(base, [str(flow(1))])
    assert "byte-level" in caught.value.mend
    check_round_trip(base, [])  # bytes have no case


@pytest.mark.parametrize("byte", [0, 10, 128, 255])
def test_a_single_byte_value_that_is_lost_is_found(byte: int) -> None:
    base = new_base()
    sign = chr(0x2800 + byte)
    base.tokenizer.backend_tokenizer.normalizer = normalizers.Replace(sign, "")
    with pytest.raises(NetloopError, match="does not keep"):
        check_round_trip(base, [])
