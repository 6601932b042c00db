"""SSH, SMTP, FTP, POP3 and IMAP: what both sides say first."""

import hashlib

import pytest

from pipelines.protocols.say_banner import dialogue_row, ssh_row

LISTS = [
    b"curve25519-sha256,diffie-hellman-group14-sha256",
    b"ssh-ed25519",
    b"aes128-ctr,aes256-ctr",
    b"aes256-gcm@openssh.com",
    b"hmac-sha2-256",
    b"hmac-sha1",
    b"none,zlib",
    b"zlib",
    b"",
    b"",
]


def kexinit(lists: list[bytes] = LISTS) -> bytes:
    content = b"\x04\x14" + bytes(16)
    content += b"".join(len(names).to_bytes(4, "big") + names for names in lists) + bytes(5)
    return len(content).to_bytes(4, "big") + content


CLIENT = b"SSH-2.0-OpenSSH_9.6 Debian-1\r\n" + kexinit()
SERVER = b"SSH-2.0-dropbear-2020.81\r\n" + kexinit()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_both_sides_of_ssh() -> None:
    row = ssh_row(CLIENT, SERVER)
    assert row["banner_protocol"] == "ssh"
    assert row["banner_client"] == "OpenSSH_9.6"
    assert row["banner_server"] == "dropbear-2020.81"
    kex = LISTS[0].decode()
    assert row["banner_hassh"] == md5(f"{kex};aes128-ctr,aes256-ctr;hmac-sha2-256;none,zlib")
    assert row["banner_hassh_server"] == md5(f"{kex};aes256-gcm@openssh.com;hmac-sha1;zlib")
    assert row["banner_client_algorithms"].split()[:2] == kex.split(",")


def test_ssh_without_algorithms() -> None:
    row = ssh_row(b"SSH-1.99-Old\n", b"")
    assert row["banner_client"] == "Old"
    assert row["banner_hassh"] is row["banner_client_algorithms"] is None
    assert "banner_server" not in row
    assert ssh_row(b"", b"") is None
    assert ssh_row(b"SSH-2.0-x\r\n\xff\xff\xff\xff" + bytes(99), b"")["banner_hassh"] is None


def test_lists_end_with_a_whole_name() -> None:
    names = [b",".join(b"cipher-%d" % number for number in range(99)), *LISTS[1:]]
    words = ssh_row(b"SSH-2.0-x\r\n" + kexinit(names), b"")["banner_client_algorithms"]
    assert 500 < len(words) <= 512
    assert words.split() == [f"cipher-{number}" for number in range(len(words.split()))]


def test_every_prefix_of_ssh() -> None:
    whole = ssh_row(CLIENT, SERVER)
    for end in range(len(CLIENT)):
        row = ssh_row(CLIENT[:end], b"") or {}
        assert row.get("banner_hassh") in (None, whole["banner_hassh"])


MAIL = b"220 mx.example ESMTP Postfix\r\n250-mx.example\r\n250 STARTTLS\r\n220 Ready\r\n"
SENDER = b"EHLO pc17\r\nSTARTTLS\r\n\x16\x03\x01"


def test_smtp_that_turns_to_tls() -> None:
    assert dialogue_row(SENDER, MAIL) == {
        "banner_protocol": "smtp",
        "banner_length": 28,
        "banner_encrypts": True,
        "banner_commands": "EHLO STARTTLS",
        "banner_codes": "220 250 220",
        "banner_greeting": "220 mx.example ESMTP Postfix",
        "banner_client_name": "pc17",
    }
    assert dialogue_row(MAIL, SENDER) == dialogue_row(SENDER, MAIL)


def test_mail_itself_is_no_command() -> None:
    sender = b"HELO a\r\nMAIL FROM:<x@y>\r\nRCPT TO:<z@y>\r\nDATA\r\nQUIT the job\r\nNOOP\r\n"
    assert dialogue_row(sender, MAIL)["banner_commands"] == "HELO MAIL RCPT DATA"


@pytest.mark.parametrize(
    ("server", "client", "protocol", "commands", "codes"),
    [
        (
            b"220 FTP ready\r\n331 go\r\n",
            b"USER bob\r\nPASS hunter2\r\n",
            "ftp",
            "USER PASS",
            "220 331",
        ),
        (b"+OK POP3 ready\r\n", b"CAPA\r\nUSER bob\r\n", "pop3", "CAPA USER", None),
        (b"* OK IMAP4\r\n", b"a1 LOGIN bob hunter2\r\na2 LIST x\r\n", "imap", "LOGIN LIST", None),
    ],
)
def test_other_dialogues(
    server: bytes, client: bytes, protocol: str, commands: str, codes: str | None
) -> None:
    row = dialogue_row(client, server)
    assert row["banner_protocol"] == protocol
    assert row["banner_commands"] == commands
    assert row["banner_codes"] == codes
    assert "hunter" not in str(row)


@pytest.mark.parametrize("client", [b"*1\r\n$4\r\nPING\r\n", b"SET a b\r\n"])
def test_other_servers_say_ok_too(client: bytes) -> None:
    assert dialogue_row(client, b"+OK\r\n") is None
    assert dialogue_row(client, b"* OK\r\n") is None
    assert dialogue_row(b"CAP", b"+OK\r\n")["banner_protocol"] == "pop3"


def test_passwords_and_names_are_no_commands() -> None:
    row = dialogue_row(b"AUTH LOGIN\r\nUXWxhZGRp\r\nsecretword\r\nbob\r\n", b"220 x ESMTP\r\n")
    assert row["banner_commands"] == "AUTH"


@pytest.mark.parametrize("server", [b"", b"22", b"220 hello\r\n", b"HTTP/1.1 220 x", bytes(40)])
def test_what_greets_like_none_of_them(server: bytes) -> None:
    assert dialogue_row(b"", server) is None


def test_every_prefix_of_a_dialogue() -> None:
    for end in range(len(MAIL)):
        dialogue_row(SENDER, MAIL[:end])
    for end in range(len(SENDER)):
        dialogue_row(SENDER[:end], MAIL)
