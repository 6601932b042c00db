"""Columns of DNS."""

from collections.abc import Sequence
from typing import Any

from pipelines.protocols.dns import (
    AAAA,
    A,
    DnsMessage,
    code_name,
    read_dns,
    text_bytes,
    type_name,
)
from pipelines.protocols.shape import as_text, digit_share, entropy, joined

Row = dict[str, Any]


def dns_row(messages: Sequence[bytes]) -> Row | None:
    """What the first messages of a flow, of both directions, say in DNS."""
    found = [message for message in map(read_dns, messages) if message is not None]
    if not found:
        return None
    responses = [message for message in found if message.response]
    row: Row = {
        "dns_queries": len(found) - len(responses),
        "dns_responses": len(responses),
        "dns_opcode": found[0].opcode,
        "dns_recursion_desired": found[0].recursion_desired,
        "dns_edns_bytes": found[0].edns_size,
    }
    asked = next((message for message in found if message.kind is not None), None)
    if asked is not None and asked.kind is not None:
        row |= _name_columns(as_text(asked.name or b""))
        row["dns_query_type"] = type_name(asked.kind)
    return row | (_response_columns(responses[0]) if responses else {})


def _name_columns(name: str) -> Row:
    labels = name.split(".") if name else []
    return {
        "dns_name": name,
        "dns_name_length": len(name),
        "dns_name_labels": len(labels),
        "dns_name_longest_label": max(map(len, labels), default=0),
        "dns_name_entropy": entropy(name),
        "dns_name_digits": digit_share(name),
    }


def _response_columns(response: DnsMessage) -> Row:
    kinds = [record.kind for record in response.answers]
    return {
        "dns_code": code_name(response.code),
        "dns_truncated": response.truncated,
        "dns_answers": response.answers_announced,
        "dns_authorities": response.authorities_announced,
        "dns_addresses": sum(kind in (A, AAAA) for kind in kinds),
        "dns_lowest_ttl": min((record.ttl for record in response.answers), default=None),
        "dns_text_bytes": text_bytes(response.answers),
        "dns_answer_types": joined(map(type_name, kinds)) if kinds else None,
    }
