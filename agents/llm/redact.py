"""Secrets taken out of what other programs say, before anybody reads or keeps it."""

import re
from urllib.parse import quote

STARS = "***"
# Shorter ones are placeholders of servers without keys ("none", "ollama"): words that answers use.
SHORTEST = 8

_LOOKS_SECRET = (
    (re.compile(r"(?i)(authorization\W{1,4})((bearer|basic)\s+)?[^\s\"',;]+"), r"\1" + STARS),
    (re.compile(r"(?i)\b((bearer|basic)\s+)[\w.~+/=-]{8,}"), r"\1" + STARS),
    (re.compile(r"\bsk-[\w-]{8,}"), STARS),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@\"'<>]+@"), rf"\1{STARS}@"),
)


def redact(text: str, *secrets: str) -> str:
    """``text`` with each secret, and everything that looks like one, replaced by stars.

    What looks like one: the value of an Authorization header, ``sk-...``, the user and password of
    an address.
    """
    text = without(text, *secrets)
    for pattern, stars in _LOOKS_SECRET:
        text = pattern.sub(stars, text)
    return text


def without(text: str, *secrets: str) -> str:
    """``text`` with each of these secrets replaced, as it is or as an address would write it."""
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, STARS).replace(quote(secret, safe=""), STARS)
    return text
