"""What traffic tokens are worth: tokens a flow with and without them, and in TrafficLLM's form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel
from transformers import PreTrainedTokenizerBase

from pipelines.capture.transport import TCP_PROTOCOL, UDP_PROTOCOL
from pipelines.datasets.loaders.packet_text import PACKET_MARK, Fields, packet_text
from pipelines.errors import InputError, NetloopError
from pipelines.models.traffic_lm.base import Base
from pipelines.models.traffic_lm.vocabulary import extend
from pipelines.profiles.trafficllm import FLAGS
from pipelines.progress import Progress, silent
from pipelines.represent.corpus import held_out
from pipelines.represent.traffic_text import PacketText, RowText
from pipelines.represent.traffic_text.symbols import bytes_text
from pipelines.represent.traffic_tokens import LEAST_COUNT, learn_tokens

ETHERNET_BYTES = 14
BATCH = 1000  # texts that are encoded at once


class Spread(BaseModel):
    """Tokens of one text, over many."""

    mean: float
    median: float
    p95: float


class Cost(BaseModel):
    """What traffic costs in one form and one tokenizer."""

    flow: Spread
    packet: Spread
    payload_bytes_a_token: float | None
    """None where no flow carries payload."""


class TokenReport(BaseModel):
    """Costs of the same flows. ``fields`` is TrafficLLM's form, ``before`` traffic text, both in
    the base's own tokenizer; ``after`` is traffic text with the traffic tokens."""

    flows: int
    packets: int
    tokens: int
    """Traffic tokens that the base did not have."""
    vocabulary: int
    """Tokens of the base with them."""
    fields: Cost
    before: Cost
    after: Cost

    @property
    def share_of_fields(self) -> float:
        """Tokens a flow with traffic tokens, as a share of those of TrafficLLM's form."""
        return self.after.flow.mean / self.fields.flow.mean


def teach_traffic(
    base: Base,
    learned: Sequence[RowText],
    judged: Sequence[RowText],
    *,
    size: int,
    least: int = LEAST_COUNT,
    progress: Progress = silent,
) -> TokenReport:
    """Learn at most ``size`` traffic tokens on some flows, add them to ``base`` in place, and
    count the tokens of other flows. What the base has already stays as it is.

    Raises NetloopError if the tokenizer then does not give back every text and all 256 byte values.
    """
    tokenizer, texts, fields = base.tokenizer, _traffic_texts(judged), _field_texts(judged)
    costs = {
        "fields": _cost(tokenizer, fields, "counting tokens of fields", progress),
        "before": _cost(tokenizer, texts, "counting tokens before", progress),
    }
    tokens = learn_tokens(map(str, learned), size, least)
    added = len(set(tokens) - tokenizer.get_vocab().keys())
    extend(base.model, tokenizer, tokens)
    costs["after"] = _cost(tokenizer, texts, "counting tokens after", progress)
    check_round_trip(base, texts.flows)
    return TokenReport(
        flows=len(texts.flows),
        packets=len(texts.packets),
        tokens=added,
        vocabulary=len(tokenizer),
        **costs,
    )


def divided(
    corpus: Mapping[str, Sequence[RowText]], every: int
) -> tuple[list[RowText], list[RowText]]:
    """Flows to learn from, and those of every n-th capture, or of the last of fewer, to judge by.

    Raises InputError where there are not two captures with a flow.
    """
    captures = {name: texts for name, texts in corpus.items() if texts}
    if len(captures) < 2:
        raise InputError(
            "There is one capture with flows, so none can be kept to count tokens on.",
            "Give two captures or more.",
        )
    apart = held_out(captures, min(every, len(captures)))
    learned = [text for name, texts in captures.items() if name not in apart for text in texts]
    return learned, [text for name in sorted(apart) for text in captures[name]]


def check_round_trip(base: Base, texts: Sequence[str]) -> None:
    """Raises NetloopError if a text, or one of the 256 byte values, is another after encoding."""
    all_bytes = bytes_text(bytes(range(256)))
    for some in _batches([all_bytes, *all_bytes, *texts]):
        tokens = base.tokenizer(some, add_special_tokens=False).input_ids
        given = base.tokenizer.batch_decode(
            tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        for text, again in zip(some, given, strict=True):
            if again != text:
                raise NetloopError(
                    f"The tokenizer of {base.name} makes {again[:60]!r} of the traffic text "
                    f"{text[:60]!r}: it does not keep what traffic says.",
                    "Take a base whose tokenizer is byte-level, as that of Llama 3, Qwen or GLM4.",
                )


def field_text(packet: PacketText, kind: tuple[int, int]) -> str:
    """A packet of ``kind`` (IP version, protocol) as the profile ``trafficllm`` writes it.

    The length of the TCP header and the window, which no row keeps, have their shortest values, so
    that this form costs rather too little. TrafficLLM's released records have three times as many
    fields, most of which name hosts and moments.
    """
    version, protocol = kind
    length = packet.length or 0
    fields: Fields = [
        ("frame.len", str(length)),
        ("ip.version", str(version)),
        ("ip.len", str(length - ETHERNET_BYTES)),
        ("ip.proto", str(protocol)),
    ]
    if protocol == TCP_PROTOCOL:
        fields += [("tcp.hdr_len", "20"), ("tcp.flags", f"0x{packet.flags:08x}")]
        fields += [
            (f"tcp.flags.{name}", str(packet.flags >> bit & 1)) for bit, name in enumerate(FLAGS)
        ]
        fields.append(("tcp.window_size_value", "0"))
    elif protocol == UDP_PROTOCOL:
        fields.append(("data.len", str(len(packet.payload))))
    if packet.payload:
        name = "tcp.payload" if protocol == TCP_PROTOCOL else "data.data"
        fields.append((name, packet.payload.hex()))
    return f"{PACKET_MARK} {packet_text(fields)}"


@dataclass(frozen=True)
class _Texts:
    """The same traffic in one form: by flow, by packet, and the payload alone."""

    flows: list[str]
    packets: list[str]
    payloads: list[str]
    payload_bytes: int


def _traffic_texts(rows: Sequence[RowText]) -> _Texts:
    packets = [packet for row in rows for packet in row.packets]
    return _Texts(
        [str(row) for row in rows],
        [str(packet) for packet in packets],
        [bytes_text(packet.payload) for packet in packets if packet.payload],
        sum(len(packet.payload) for packet in packets),
    )


def _field_texts(rows: Sequence[RowText]) -> _Texts:
    told = [[field_text(packet, row.kind or (0, 0)) for packet in row.packets] for row in rows]
    payloads = [packet.payload.hex() for row in rows for packet in row.packets if packet.payload]
    return _Texts(
        ["\n".join(packets) for packets in told],
        [packet for packets in told for packet in packets],
        payloads,
        sum(map(len, payloads)) // 2,
    )


def _cost(tokenizer: PreTrainedTokenizerBase, texts: _Texts, what: str, progress: Progress) -> Cost:
    total, done = len(texts.flows) + len(texts.packets) + len(texts.payloads), 0
    counts: list[np.ndarray] = []
    for part in (texts.flows, texts.packets, texts.payloads):
        found = []
        for some in _batches(part):
            found += [len(tokens) for tokens in tokenizer(some, add_special_tokens=False).input_ids]
            done += len(some)
            progress(what, done, total, "texts")
        counts.append(np.array(found))
    flows, packets, payloads = counts
    return Cost(
        flow=_spread(flows),
        packet=_spread(packets),
        payload_bytes_a_token=texts.payload_bytes / int(payloads.sum()) if len(payloads) else None,
    )


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), BATCH):
        yield list(texts[start : start + BATCH])


def _spread(counts: np.ndarray) -> Spread:
    return Spread(
        mean=float(counts.mean()),
        median=float(np.median(counts)),
        p95=float(np.percentile(counts, 95)),
    )
