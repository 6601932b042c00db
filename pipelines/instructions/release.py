"""What is wrong with the labels of TrafficLLM's released instructions, and its mending.

The release gives its web-attack instructions the label "Encrypted App Classification" and those on
APT attacks the label "Concept Drift"; "Web Attack Detection" and "APT Attack Detection" do not
occur. These rules read the words of a row, never what a model says of it.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from pipelines.instructions.instructions import Instruction

# A virus scanner's "malicious service" or "malicious software" is no request to a web server.
_WEB_ATTACK = re.compile(
    r"\b(?:attack|(?:SQL|XSS|CSRF|JavaScript|HTTP|web requests?|web security)\b"
    r"|malicious (?!services?\b|software\b))",
    re.IGNORECASE,
)
_APT = re.compile(r"\b(?:APTs?|advanced persistent)\b", re.IGNORECASE)
_ATTACK = re.compile(
    r"\b(?:attack|malicious|lateral|port scan|intrusion|penetrat|exfiltrat|disguised"
    r"|command[- ]and[- ]control)",
    re.IGNORECASE,
)
# Rows on drift name new kinds of attack among its causes.
_DRIFT = re.compile(r"\b(?:drift|concept|shift|version|update)", re.IGNORECASE)


def relabelled(rows: Iterable[Instruction]) -> list[Instruction]:
    """The rows, with WAD for web attacks that say EAC and AAD for APT attacks that say CD."""
    return [replace(row, task=_task(row)) for row in rows]


def _task(row: Instruction) -> str:
    if row.task == "EAC" and _WEB_ATTACK.search(row.text):
        return "WAD"
    if row.task == "CD" and _is_apt(row.text):
        return "AAD"
    return row.task


def _is_apt(text: str) -> bool:
    if _APT.search(text):
        return True
    return bool(_ATTACK.search(text)) and not _DRIFT.search(text)
