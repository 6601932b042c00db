"""What processes of a crew do in tests: functions that a spawned process can import."""

import os
import signal
import socket
import threading
from pathlib import Path

from pipelines.deploy.crew import LostPeer
from pipelines.errors import InputError
from pipelines.store.files import write_atomic


def accept_one(listener: socket.socket) -> bytes:
    with listener, listener.accept()[0] as guest:
        return guest.recv(100)


def greet(address: tuple[str, int]) -> str:
    with socket.create_connection(address) as connection:
        connection.sendall(b"hello")
    return "greeted"


def wait_for_ever(begun: Path) -> None:
    write_atomic(begun, str(os.getpid()))
    threading.Event().wait()


def wait_for(path: Path) -> None:
    while not path.exists():
        threading.Event().wait(0.01)


def kill_oneself(after: Path) -> None:
    wait_for(after)
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    raise InputError("There are no rows.", "Give some.")


def refuse_after(path: Path) -> None:
    """Fail a moment after another process has told that it lost this one."""
    wait_for(path)
    threading.Event().wait(0.3)
    refuse()


def stumble() -> None:
    raise ZeroDivisionError("by nothing")


def lose(told: Path) -> None:
    told.touch()
    raise LostPeer("The other is gone.")
