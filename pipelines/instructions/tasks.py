"""The tasks that an instruction may ask for, by the names that TrafficLLM's release gives them."""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from pipelines.errors import InputError


class Kind(StrEnum):
    """What a task makes: a label for traffic, or traffic."""

    DETECTION = "detection"
    GENERATION = "generation"
    NONE = "none"


@dataclass(frozen=True)
class Task:
    """One task. ``name`` is what the field ``output`` of the release says."""

    code: str
    name: str
    kind: Kind
    about: str


TASKS = (
    Task(
        "MTD",
        "Malware Traffic Detection",
        Kind.DETECTION,
        "Which malicious or ordinary program made the traffic.",
    ),
    Task(
        "BND",
        "Botnet Detection",
        Kind.DETECTION,
        "Whether remotely controlled machines made the traffic, and which botnet they belong to.",
    ),
    Task(
        "MDD",
        "Malicious DoH Detection",
        Kind.DETECTION,
        "Whether DNS over HTTPS carries ordinary queries or a hidden channel.",
    ),
    Task(
        "WAD",
        "Web Attack Detection",
        Kind.DETECTION,
        "Whether an HTTP request attacks the web application that it is sent to.",
    ),
    Task(
        "AAD",
        "APT Attack Detection",
        Kind.DETECTION,
        "Whether the traffic is a stage of a targeted attack, from reconnaissance to exfiltration.",
    ),
    Task(
        "EVD",
        "Encrypted VPN Detection",
        Kind.DETECTION,
        "Which application or use lies inside a VPN tunnel.",
    ),
    Task(
        "TBD",
        "Tor Behavior Detection",
        Kind.DETECTION,
        "What a user does over Tor: browsing, chat, file transfer, mail, audio, video, calls, P2P.",
    ),
    Task(
        "EAC",
        "Encrypted App Classification",
        Kind.DETECTION,
        "Which application made the encrypted traffic.",
    ),
    Task(
        "WF",
        "Website Fingerprinting",
        Kind.DETECTION,
        "Which website was visited, told from the shape of the encrypted traffic.",
    ),
    Task(
        "CD",
        "Concept Drift",
        Kind.DETECTION,
        "Which application made the traffic, although it has changed since the model was trained.",
    ),
    Task(
        "MTG",
        "Malware Traffic Generation",
        Kind.GENERATION,
        "Make traffic as a malicious or an ordinary program would.",
    ),
    Task(
        "BTG",
        "Botnet Traffic Generation",
        Kind.GENERATION,
        "Make traffic as a botnet or a normal network would.",
    ),
    Task(
        "EVG",
        "Encrypted VPN Generation",
        Kind.GENERATION,
        "Make traffic of an application inside a VPN tunnel.",
    ),
    Task(
        "EAG",
        "Encrypted App Generation",
        Kind.GENERATION,
        "Make encrypted traffic of an application.",
    ),
)
NONE = Task("NONE", "None of These", Kind.NONE, "Anything that none of the tasks answers.")


def task_of(text: str) -> Task:
    """The task of that code or name, whatever its case and punctuation.

    Raises InputError that names the nearest one.
    """
    known = {_plain(key): task for task in (*TASKS, NONE) for key in (task.code, task.name)}
    if found := known.get(_plain(text)):
        return found
    near = known[get_close_matches(_plain(text), known, n=1, cutoff=0.0)[0]]
    raise InputError(
        f"There is no task {text!r}; did you mean {near.name} ({near.code})?",
        f"The tasks are {', '.join(task.code for task in (*TASKS, NONE))}.",
    )


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
