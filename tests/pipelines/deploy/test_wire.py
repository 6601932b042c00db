"""Frames over a real connection: whole, counted, bounded, and only from those with the token."""

import socket
import threading

import pytest

from pipelines.deploy.crew import LostPeer
from pipelines.deploy.link import Link, Pace
from pipelines.deploy.wire import (
    HEAD,
    JSON,
    MODEL,
    MOST_BYTES,
    MOST_JSON_BYTES,
    ROWS,
    Channel,
    accept_sites,
    join_hub,
)
from pipelines.errors import NetloopError

FAST = Link(delay_ms=0, mbit=100_000)
TOKEN = bytes(range(32))
Ends = tuple[socket.socket, socket.socket]


def channel(connection: socket.socket, peer: str = "The site 'a'") -> Channel:
    return Channel(connection, Pace(FAST), peer)


def test_what_is_sent_arrives(ends: Ends) -> None:
    one, other = map(channel, ends)
    content = bytes(range(256)) * 300  # several pieces
    one.send(ROWS, content)
    one.send_json({"done": True})
    assert other.receive() == (ROWS, content)
    assert other.receive_json() == {"done": True}


def test_every_byte_is_counted(ends: Ends) -> None:
    one = channel(ends[0])
    one.send(MODEL, b"12345")
    one.send_json({})
    ends[0].shutdown(socket.SHUT_WR)
    assert one.sent == len(ends[1].recv(1000)) == 2 * HEAD.size + 5 + len("{}")


def test_bytes_leave_at_the_pace_of_the_link(ends: Ends) -> None:
    sleeps: list[float] = []
    pace = Pace(Link(delay_ms=500, mbit=8), lambda: 0.0, sleeps.append)
    one, other = Channel(ends[0], pace, "the hub"), channel(ends[1])
    one.write(bytes(1000))
    one.write(bytes(1000))
    assert sleeps == pytest.approx([0.501, 0.502]), "messages in a row share the delay"
    other.write(b"!")
    one.read(1)
    one.write(bytes(1000))
    assert sleeps[-1] == pytest.approx(1.003), "an answer waits for it again"


@pytest.mark.parametrize(
    "head",
    [(b"P", 10), (b"\0", 0), (ROWS, MOST_BYTES + 1), (JSON, MOST_JSON_BYTES + 1)],
    ids=["pickle", "zero", "rows too large", "JSON too large"],
)
def test_what_is_no_frame_is_refused_before_it_is_read(ends: Ends, head: tuple[bytes, int]) -> None:
    ends[0].sendall(HEAD.pack(*head))
    with pytest.raises(NetloopError, match="The site 'a' sent something that is no message"):
        channel(ends[1]).receive()


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_broken_json_is_refused(ends: Ends, content: bytes) -> None:
    channel(ends[0]).send(JSON, content)
    with pytest.raises(NetloopError, match="The site 'a' sent JSON"):
        channel(ends[1]).receive_json()


def test_another_kind_than_asked_for_is_refused(ends: Ends) -> None:
    channel(ends[0]).send(ROWS, b"")
    with pytest.raises(NetloopError, match="not asked for"):
        channel(ends[1]).receive_json()


def test_too_large_a_message_is_not_sent(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.deploy.wire.MOST_BYTES", 10)
    one = channel(ends[0])
    with pytest.raises(NetloopError, match="11 bytes are too many"):
        one.send(ROWS, bytes(11))
    assert one.sent == 0


def test_a_peer_that_ends_is_named(ends: Ends) -> None:
    ends[0].sendall(HEAD.pack(ROWS, 100) + b"half")
    ends[0].close()
    with pytest.raises(LostPeer, match="The site 'a' ended its connection"):
        channel(ends[1]).receive()


def test_a_silent_peer_is_named(ends: Ends) -> None:
    ends[1].settimeout(0.01)
    with pytest.raises(LostPeer, match=r"The site 'a' said nothing for 0\.01 s\..*learns sooner"):
        channel(ends[1]).receive()


# --- who may come in -----------------------------------------------------------------------------


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def accepted(listener: socket.socket, names: list[str], meet) -> list[Channel]:
    """The hub's channels while ``meet(address)`` runs beside it."""
    guest = threading.Thread(target=meet, args=(listener.getsockname(),))
    guest.start()
    try:
        return accept_sites(listener, TOKEN, names, FAST, 2)
    finally:
        guest.join()


def closed(channels: list[Channel]) -> None:
    for each in channels:
        each.connection.close()


def test_sites_are_known_by_their_number(listener: socket.socket) -> None:
    sites: list[Channel] = []

    def meet(address) -> None:
        sites.extend(join_hub(address, TOKEN, number, FAST, 2) for number in (1, 0))

    channels = accepted(listener, ["a", "b"], meet)
    assert [each.peer for each in channels] == ["The site 'a'", "The site 'b'"]
    sites[0].send_json({"from": "b"})
    assert channels[1].receive_json() == {"from": "b"}
    closed(channels + sites)


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(bytes(32) + HEAD.pack(JSON, 10) + b'{"site":0}', id="another token"),
        pytest.param(TOKEN[:31], id="half a token"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="a browser"),
        pytest.param(TOKEN + HEAD.pack(JSON, 10) + b'{"site":7}', id="no such site"),
        pytest.param(TOKEN + HEAD.pack(JSON, 12) + b'{"site":"0"}', id="no number"),
        pytest.param(TOKEN + HEAD.pack(ROWS, 1) + b"x", id="no greeting"),
    ],
)
def test_strangers_are_sent_away_and_the_site_still_comes(
    listener: socket.socket, greeting: bytes
) -> None:
    heard: list[bytes] = []
    site: list[Channel] = []

    def meet(address) -> None:
        with socket.create_connection(address, 2) as stranger:
            try:
                stranger.sendall(greeting)
                stranger.shutdown(socket.SHUT_WR)
                heard.append(stranger.recv(100))
            except OSError:  # sent away before all was read
                heard.append(b"")
        site.append(join_hub(address, TOKEN, 0, FAST, 2))

    channels = accepted(listener, ["a"], meet)
    assert heard == [b""], "a stranger hears nothing"
    site[0].send_json({"real": True})
    assert channels[0].receive_json() == {"real": True}
    closed(channels + site)


def test_a_second_site_of_the_same_number_is_sent_away(listener: socket.socket) -> None:
    sites: list[Channel] = []

    def meet(address) -> None:
        sites.extend(join_hub(address, TOKEN, number, FAST, 2) for number in (0, 0, 1))

    channels = accepted(listener, ["a", "b"], meet)
    with pytest.raises(LostPeer):
        sites[1].receive()
    closed(channels + sites)


def test_a_site_that_does_not_come_is_named(listener: socket.socket) -> None:
    with pytest.raises(LostPeer, match=r"The site 'far' did not come for 0\.01 s"):
        accept_sites(listener, TOKEN, ["far"], FAST, 0.01)


def test_no_hub(listener: socket.socket) -> None:
    address = listener.getsockname()
    listener.close()
    with pytest.raises(LostPeer, match=f"does not answer at port {address[1]}"):
        join_hub(address, TOKEN, 0, FAST, 1)
