"""Offline: nothing reaches a network, from this process or from netloop's children.

The hook cannot be taken away again, so every test is a process of its own.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from agents.offline import QUIET, VARIABLE, offline_wanted

BEFORE = """
import os, socket, sys
from agents.offline import Offline, offline_wanted, refuse_sockets
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
early = socket.create_connection(("127.0.0.1", port))
refuse_sockets()
"""
REFUSED = {
    "connect": "socket.socket().connect(('127.0.0.1', port))",
    "connect_ex": "socket.socket().connect_ex(('127.0.0.1', port))",
    "connect over IPv6": "socket.socket(socket.AF_INET6).connect(('::1', port))",
    "create_connection": "socket.create_connection(('127.0.0.1', port))",
    "bind": "socket.socket().bind(('127.0.0.1', 0))",
    "sendto": "udp.sendto(b'x', ('127.0.0.1', port))",
    "sendmsg": "udp.sendmsg([b'x'], [], 0, ('127.0.0.1', port))",
    "getaddrinfo": "socket.getaddrinfo('example.org', 443)",
    "gethostbyname": "socket.gethostbyname('example.org')",
    "gethostbyname_ex": "socket.gethostbyname_ex('example.org')",
    "gethostbyaddr": "socket.gethostbyaddr('127.0.0.1')",
    "getnameinfo": "socket.getnameinfo(('127.0.0.1', 80), 0)",
    "urllib": "import urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{port}/')",
    "httpx": "import httpx; httpx.get(f'http://127.0.0.1:{port}/', trust_env=False)",
}


def ended(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_everything_that_reaches_a_network_is_refused() -> None:
    tries = "\n".join(
        f"try:\n    {code}\n    print('passed', {name!r})\n"
        "except Offline as error:\n    assert 'Offline' in str(error) and error.mend\n"
        for name, code in REFUSED.items()
    )
    after = ended(f"{BEFORE}\n{tries}\nprint('ended')")
    assert after.stdout == "ended\n", after.stdout + after.stderr


def test_the_tries_would_pass_online() -> None:
    """Else the test before could not fail."""
    lines = BEFORE.replace("refuse_sockets()\n", "")
    for name in ("create_connection", "bind", "sendto", "sendmsg", "getnameinfo"):
        lines += f"{REFUSED[name]}\n"
    assert ended(lines).returncode == 0


def test_sockets_of_this_machine_work_as_before() -> None:
    after = ended(
        f"""{BEFORE}
import asyncio, multiprocessing, tempfile
from concurrent.futures import ProcessPoolExecutor
one, other = socket.socketpair()
one.sendall(b"x"); assert other.recv(1) == b"x"
with tempfile.TemporaryDirectory() as folder:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(folder + "/s"); listening.listen()
    socket.socket(socket.AF_UNIX).connect(folder + "/s")
asyncio.run(asyncio.sleep(0))
with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
    assert pool.submit(len, "xx").result() == 2
print("ended")
"""
    )
    assert after.stdout == "ended\n", after.stderr


def test_children_are_told_and_hugging_face_is_kept_quiet() -> None:
    after = ended(
        f"""{BEFORE}
import subprocess
code = "import agents.offline as o; print(o.offline_wanted())"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip())
print([os.environ[name] for name in {QUIET!r}])
from huggingface_hub.constants import is_offline_mode
print(is_offline_mode())
"""
    )
    assert after.stdout.splitlines() == ["True", "['1', '1', '1']", "True"], after.stderr


def test_spawned_workers_refuse_where_their_main_module_asks(tmp_path: Path) -> None:
    """They begin by importing it: what it does before ``main`` it does in them too."""
    script = tmp_path / "command.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing, socket
            from concurrent.futures import ProcessPoolExecutor
            from agents.offline import Offline, offline_wanted, refuse_sockets

            if offline_wanted():
                refuse_sockets()

            def knock(_):
                try:
                    socket.socket().connect(("127.0.0.1", 9))
                except Offline:
                    return "refused"
                except OSError:
                    return "tried"

            if __name__ == "__main__":
                refuse_sockets()
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                    print(pool.submit(knock, None).result())
            """
        )
    )
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, env=where
    )
    assert done.stdout == "refused\n", done.stderr


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("1", True), ("true", True), ("0", False), ("", False), ("No", False), ("false", False)],
)
def test_the_variable(value: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert offline_wanted() is wanted
    monkeypatch.delenv(VARIABLE)
    assert not offline_wanted()
