"""Columns of HTTP."""

import ipaddress
from typing import Any

from pipelines.protocols.http1 import (
    HttpMessage,
    count_requests,
    read_request,
    read_response,
    split_target,
)
from pipelines.protocols.shape import LONGEST_TEXT, as_text, digit_share, entropy, joined

Row = dict[str, Any]
LONGEST_NUMBER = 15


def http_row(one: bytes, other: bytes) -> Row | None:
    """What two directions of a TCP flow say in HTTP, whichever of them is the client's."""
    for client, server in ((one, other), (other, one)):
        request, response = read_request(client), read_response(server)
        if request or response:
            row = _request_columns(request, count_requests(client)) if request else {}
            return row | (_response_columns(response, row) if response else {})
    return None


def _request_columns(request: HttpMessage, count: int) -> Row:
    row: Row = {"http_version": request.version}
    if request.method is None:  # HTTP/2: its headers are compressed
        return row
    row |= {
        "http_method": request.method,
        "http_requests": max(count, 1),
        "http_request_header_count": len(request.headers),
        "http_request_headers": joined(name for name, _ in request.headers),
        "http_request_type": _content_type(request),
        "http_request_content_bytes": _content_length(request),
    }
    if request.method != "CONNECT" and request.target is not None:
        row |= _target_columns(request.target)
    if (agent := request.header("user-agent")) is not None:
        row["http_user_agent"], row["http_user_agent_length"] = as_text(agent), len(agent)
    if (host := request.header("host")) is not None:
        row |= _host_columns(as_text(host))
    return row


def _target_columns(target: bytes) -> Row:
    found = split_target(target)
    return {
        "http_path": found.path[:LONGEST_TEXT],
        "http_path_length": len(found.path),
        "http_path_depth": found.depth,
        "http_path_entropy": entropy(found.path),
        "http_path_digits": digit_share(found.path),
        "http_path_extension": found.extension,
        "http_query_length": len(found.query),
        "http_query_keys": len(found.keys),
        "http_query_names": joined(found.keys) if found.keys else None,
    }


def _host_columns(host: str) -> Row:
    name, colon, port = host.rpartition(":")
    has_port = bool(colon) and port.isdigit()
    try:
        ipaddress.ip_address((name if has_port else host).strip("[]"))
        is_address = True
    except ValueError:
        is_address = False
    return {"http_host": host, "http_host_is_address": is_address, "http_host_has_port": has_port}


def _response_columns(response: HttpMessage, request: Row) -> Row:
    server = response.header("server")
    return {
        "http_version": request.get("http_version") or response.version,
        "http_status": response.status,
        "http_response_header_count": len(response.headers),
        "http_response_headers": joined(name for name, _ in response.headers),
        "http_response_type": _content_type(response),
        "http_response_content_bytes": _content_length(response),
        "http_server": None if server is None else as_text(server),
    }


def _content_type(message: HttpMessage) -> str | None:
    """The media type without its parameters, in lower case."""
    found = message.header("content-type")
    return None if found is None else as_text(found.partition(b";")[0].strip().lower())


def _content_length(message: HttpMessage) -> float | None:
    found = message.header("content-length")
    if found is None or not found.isdigit() or len(found) > LONGEST_NUMBER:
        return None
    return float(found)
