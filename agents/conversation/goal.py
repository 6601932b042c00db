"""What a goal asks for: whether it is about traffic at all, and which kind of detection."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.instructions.tasks import TASKS, Kind, Task
from pipelines.instructions.tasks import task_of as task_named

if TYPE_CHECKING:
    from pipelines.models.traffic_lm.base import Base

# A reading is believed from here on. Of 40 sentences of no network at all, in the manner of "bake a
# cake", traffic-nano is so sure of a detection for none; from 0.6 on it would be for five.
SURE = 0.8
# Who says one of these speaks of traffic: roots, for they must serve several languages.
NETWORK_WORDS = re.compile(
    r"traffi[ck]|tr[áa]fi[ck]|verkehr|трафик|流量|network|netzwerk|r[ée]seau|netz|сет[ьи]|网络|"
    r"netwerk|packet|paket|paquet|pacchett|\bflows?\b|captur|mitschnitt|pcap|connection|verbindung|"
    r"connexion|conexi|malware|schad|malici|恶意|botnet|\bbots?\b|\bc2\b|c&c|command.and.control|"
    r"attack|angriff|attaque|ataque|attacc|攻击|атак|intrus|exploit|ransom|trojan|phish|\bd?dos\b|"
    r"\bscans?\b|scann|brute.?force|exfiltrat|beacon|\bvpn|\btor\b|\bdns\b|\bdoh\b|\bhttps?\b|"
    r"\btls\b|\bssl\b|\bquic\b|\bssh\b|\bids\b|tunnel|anomal|threat|infect|infizier|protocol|"
    r"protokoll|\bapps?\b|application|anwendung|applikation|website|webseite|\bhosts?\b|\biot\b|"
    r"device|machine|benign|harmless|suspicious|encrypt|fingerprint|session|\blogs?\b|records?\b|"
    r"server|serveur|servidor|comput|rechner|ordinateur|ordenador|компь|\bdomains?\b|\bdga\b|hacker|"
    r"lateral movement|logiciel|aplik|aplica",
    re.IGNORECASE,
)
_MAKES_TRAFFIC = re.compile(
    r"\b(?:generate\b|generating|synthesi[sz]|simulat|produce\b|erzeug|génér|genera[rn])",
    re.IGNORECASE,
)


def is_plain(goal: str) -> bool:
    """Whether the words alone say that a goal is about traffic, and not about making some."""
    return bool(NETWORK_WORDS.search(goal)) and not _MAKES_TRAFFIC.search(goal)


def doubt_about(goal: str) -> str:
    """Why a goal seems to be no detection, in a sentence; empty if it seems to be one.

    A person may go on all the same: neither the words nor the model know everything. Takes seconds
    where the goal is not plain.
    """
    if is_plain(goal):
        return ""
    speaks = bool(NETWORK_WORDS.search(goal))
    found = task_of(goal)
    if found is None:
        return ""
    task, sure = task_named(found[0]), found[1] >= SURE
    if sure and task.kind is Kind.GENERATION:
        return f"That asks for traffic to be made ({task.name}); here detectors are made."
    if speaks or (sure and task.kind is Kind.DETECTION):
        return ""
    return "I cannot see which traffic that would tell apart."


def kinds_of_detection() -> list[Task]:
    """The detections that there are, to choose from."""
    return [task for task in TASKS if task.kind is Kind.DETECTION]


def task_of(goal: str) -> tuple[str, float] | None:
    """The code of the task that traffic-nano names for a sentence, and how sure it is of it.

    ``NONE`` is a code too. None if traffic-nano is not installed. It takes seconds to load.
    """
    if not _weights().is_file():
        return None
    import numpy as np

    from pipelines.models.traffic_lm.instruction_tuning import CODES, name_tasks

    (code,), scores = name_tasks(_nano(), [goal])
    chances = np.exp(scores[0] - scores[0].max())
    return code, float(chances[CODES.index(code)] / chances.sum())


def _weights() -> Path:
    import pipelines.models.traffic_lm

    return Path(pipelines.models.traffic_lm.__file__).parent / "nano" / "model.safetensors"


@cache
def _nano() -> "Base":
    from pipelines.models.traffic_lm.base import NANO, load_base

    return load_base(NANO)
