"""A relay between a site and the hub that keeps every byte which passes, and reads its frames."""

import json
import socket
import threading

from pipelines.deploy.payloads import rows_from_bytes
from pipelines.deploy.wire import HEAD, JSON, ROWS


class Relay:
    """Listens in the hub's place for one connection: ``up`` leaves the site, ``down`` the hub."""

    def __init__(self, hub: tuple[str, int]) -> None:
        self.up, self.down = bytearray(), bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._carry, args=(hub,))
        self._thread.start()

    def close(self) -> None:
        """Wait until the connection has ended."""
        self._thread.join()

    def _carry(self, hub: tuple[str, int]) -> None:
        with self._listener:
            site, _ = self._listener.accept()
        with site, socket.create_connection(hub) as connection:
            back = threading.Thread(target=pump, args=(connection, site, self.down))
            back.start()
            pump(site, connection, self.up)
            back.join()


def pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    """Hand on and keep what comes, until the source ends."""
    while piece := source.recv(1 << 16):
        kept += piece
        target.sendall(piece)
    target.shutdown(socket.SHUT_WR)


def frames(content: bytes) -> list[tuple[bytes, bytes]]:
    """The frames in a stream: kind and content."""
    found = []
    while content:
        kind, size = HEAD.unpack(content[: HEAD.size])
        found.append((kind, content[HEAD.size : HEAD.size + size]))
        content = content[HEAD.size + size :]
    return found


def rows_in(content: bytes) -> list:
    """All tables in a stream."""
    return [rows_from_bytes(c) for kind, c in frames(content) if kind == ROWS]


def messages_in(content: bytes) -> list[dict]:
    """All small messages in a stream."""
    return [json.loads(c) for kind, c in frames(content) if kind == JSON]
