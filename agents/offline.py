"""No network: a hook of the interpreter refuses every socket but those of this machine's files.

Nothing in the process can take the hook away again. A program that is started from here is refused
only if it is netloop too: it reads the variable that is set here when it starts.
"""

import os
import socket
import sys
from typing import Any

from pipelines.errors import NetloopError

VARIABLE = "NETLOOP_OFFLINE"
# Hugging Face's libraries then look for models on this machine only, and say so.
QUIET = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
TALKING = frozenset(("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"))
ASKING = frozenset(
    ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
)


class Offline(NetloopError):
    """Something wanted to reach a network although the run is offline."""


def offline_wanted() -> bool:
    """Whether whoever started this process is offline, or a person asked for it."""
    return os.environ.get(VARIABLE, "").strip().lower() not in (
        "",
        "0",
        "false",
        "f",
        "no",
        "n",
        "off",
    )


def refuse_sockets() -> None:
    """Refuse from now on, here and in netloop's child processes, whatever would reach a network.

    Connecting, sending, binding and asking for a name raise Offline; sockets of the Unix domain,
    which are files of this machine, work as before.
    """
    os.environ[VARIABLE] = "1"
    os.environ.update(dict.fromkeys(QUIET, "1"))
    sys.addaudithook(_refuse)


def _refuse(event: str, details: tuple[Any, ...]) -> None:
    if event in ASKING:
        raise _refusal(event, details[0])
    if event in TALKING and details[0].family != socket.AF_UNIX:
        raise _refusal(event, details[1])


def _refusal(event: str, where: object) -> Offline:
    wanted = event.removeprefix("socket.")
    return Offline(
        f"Offline: {wanted} to {where!r} was refused.",
        f"Leave out --offline, or unset {VARIABLE}, if this may use the network.",
    )
