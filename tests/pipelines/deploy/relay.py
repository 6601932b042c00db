"""A relay between sites and hub that keeps every byte which passes, and reads frames from them."""

import json
import socket
import threading

from pipelines.deploy.payloads import rows_from_bytes
from pipelines.deploy.wire import HEAD, JSON, ROWS, TOKEN_BYTES


class Relay:
    """Listens in the hub's place. ``up`` and ``down`` hold each connection's bytes."""

    def __init__(self, hub: tuple[str, int]) -> None:
        self.up: list[bytearray] = []
        self.down: list[bytearray] = []
        self._hub = hub
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def close(self) -> None:
        """Wait until all connections have ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def of_site(self, number: int) -> list[tuple[bytes, bytes]]:
        """What left a site and what came to it, a pair for every time that it connected."""
        greeting = {"site": number}
        pairs = [(bytes(up), bytes(down)) for up, down in zip(self.up, self.down, strict=True)]
        return [pair for pair in pairs if messages_in(pair[0][TOKEN_BYTES:])[0] == greeting]

    def _begin(self, target, *arguments) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                site, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._begin(self._carry, site)

    def _carry(self, site: socket.socket) -> None:
        up, down = bytearray(), bytearray()
        self.up.append(up)
        self.down.append(down)
        with site, socket.create_connection(self._hub) as hub:
            back = threading.Thread(target=pump, args=(hub, site, down))
            back.start()
            pump(site, hub, up)
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
