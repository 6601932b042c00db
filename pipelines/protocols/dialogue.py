"""Protocols of lines that a server opens with a greeting: SMTP, FTP, POP3 and IMAP."""

import re
from dataclasses import dataclass, field

from pipelines.protocols.shape import as_text

CODE = re.compile(rb"(\d{3})[ -]")
VERB = re.compile(rb"([A-Za-z]{3,12})(?: |$)")
TAGGED_VERB = re.compile(rb"[A-Za-z0-9]+ ([A-Za-z]{2,12})(?: |$)")
HELLO = re.compile(rb"(?:EHLO|HELO) (\S+)", re.IGNORECASE)
MOST_LINES = 24
# Only these words are kept of what a client says: the others are names, passwords and mail.
WORDS = (
    "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY EXPN AUTH STARTTLS HELP "
    "USER PASS ACCT CWD CDUP PORT PASV EPSV EPRT TYPE STRU MODE RETR STOR STOU APPE REST RNFR "
    "RNTO ABOR DELE RMD MKD PWD LIST NLST SITE SYST STAT FEAT OPTS SIZE MDTM MLSD PBSZ PROT CLNT "
    "APOP CAPA STLS TOP UIDL CAPABILITY LOGIN AUTHENTICATE SELECT EXAMINE LSUB FETCH UID STORE "
    "SEARCH LOGOUT IDLE ID NAMESPACE STATUS ENABLE"
)
VERBS = frozenset(WORDS.split())


@dataclass
class Dialogue:
    """The greeting of a server, the verbs of its client and the codes of its answers."""

    protocol: str
    greeting: str
    codes: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    client_name: str | None = None


def read_dialogue(client: bytes, server: bytes) -> Dialogue | None:
    """The dialogue of two directions; None if the server greets like none of these."""
    protocol = _protocol(client, server)
    if protocol is None:
        return None
    greeting = server.partition(b"\n")[0].rstrip(b"\r")
    hello = HELLO.match(client) if protocol == "smtp" else None
    return Dialogue(
        protocol=protocol,
        greeting=as_text(greeting),
        codes=_codes(server) if protocol in ("smtp", "ftp") else [],
        commands=_commands(client, TAGGED_VERB if protocol == "imap" else VERB),
        client_name=as_text(hello.group(1)) if hello else None,
    )


def _protocol(client: bytes, server: bytes) -> str | None:
    if server.startswith(b"+OK") and _commands_may_follow(client, VERB):
        return "pop3"
    if server.startswith(b"* OK") and _commands_may_follow(client, TAGGED_VERB):
        return "imap"
    if not server.startswith((b"220 ", b"220-", b"554 ", b"421 ")):
        return None
    if HELLO.match(client) or b"SMTP" in server.partition(b"\n")[0].upper():
        return "smtp"
    return "ftp" if b"FTP" in server.upper() or client[:5].upper() in (b"USER ", b"AUTH ") else None


def _commands_may_follow(client: bytes, pattern: re.Pattern[bytes]) -> bool:
    """Whether a client's first line is a command, as far as it was said: Redis says +OK as well."""
    line, end, _ = client.partition(b"\n")
    found = pattern.match(line.rstrip(b"\r"))
    return not end or (found is not None and found.group(1).decode().upper() in VERBS)


def _codes(server: bytes) -> list[str]:
    """The code of each answer; lines that only continue one are left out."""
    codes = [CODE.match(line) for line in server.split(b"\n")[:MOST_LINES]]
    return [found.group(1).decode() for found in codes if found and found.group(0)[-1:] == b" "]


def _commands(client: bytes, pattern: re.Pattern[bytes]) -> list[str]:
    """The verbs of the client's whole lines, in upper case, up to the mail's text or TLS."""
    verbs: list[str] = []
    for line in client.split(b"\n")[:-1][:MOST_LINES]:
        found = pattern.match(line.rstrip(b"\r"))
        verb = found.group(1).decode().upper() if found else ""
        if verb in VERBS:
            verbs.append(verb)
        if verb in ("DATA", "BDAT", "STARTTLS", "STLS"):
            break
    return verbs
