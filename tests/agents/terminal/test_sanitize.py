"""Foreign text can neither act on the terminal nor hide in it."""

import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from agents.terminal.sanitize import safe_text, visible, visible_lines

ATTACKS = {
    "clear screen": b"\x1b[2J\x1b[H",
    "clipboard (OSC 52)": b"\x1b]52;c;cm0gLXJmIH4=\x07",
    "window title (OSC 0)": b"\x1b]0;approved\x1b\\",
    "hyperlink (OSC 8)": b"\x1b]8;;http://x/\x1b\\label\x1b]8;;\x1b\\",
    "8-bit CSI (C1)": b"\xc2\x9b2J",
    "8-bit OSC and DCS": b"\xc2\x9d52;c;AAAA\xc2\x9c \xc2\x90q",
    "carriage return": b"malware\rbenign ",
    "backspaces": b"malware\x08\x08\x08\x08\x08\x08\x08benign ",
    "rows of its own": b"x\n APPROVED \x0b\x0c\xc2\x85y",
    "null and delete": b"\x00\x7f",
    "line separators": b"a\xe2\x80\xa8b\xe2\x80\xa9c",
    "right-to-left override": "\u202efcap.exe\u202c".encode(),
    "bidi isolates": "\u2066a\u2067b\u2068c\u2069\u200e\u200f\u061c".encode(),
    "zero-width": "bot\u200bnet\u200c\u200d\u2060".encode(),
    "byte order mark": b"\xef\xbb\xbfid",
    "tag characters": "".join(chr(0xE0000 + ord(c)) for c in "approve").encode(),
    "cancel tag and language tag": "\U000e0001\U000e007f".encode(),
    "variation selectors": "a\ufe0e\ufe0fb\U000e0100\U000e01ef".encode(),
    "soft hyphen": b"a\xc2\xadb",
    "fillers": "\u115f\u1160\u3164\uffa0\u2800\u034f\u180e".encode(),
    "private and unassigned": "\ue000\U0010fffd\uffff\U000e0002".encode(),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_becomes_plain_visible_text(name: str) -> None:
    shown = visible(ATTACKS[name].decode())
    assert "\\" in shown
    assert_all_visible(shown)


def test_escapes_are_named_not_dropped() -> None:
    assert visible("\x1b[2J") == r"\x1b[2J"
    assert visible("a\nb\tc\r") == r"a\nb\tc\r"
    assert visible("\x9b\x7f\x00") == r"\x9b\x7f\x00"
    assert visible("\u202eexe") == r"\u202eexe"
    assert visible("\ufeffid") == r"\ufeffid"
    assert visible("\U000e0041") == r"\U000e0041"


def test_lone_surrogate_of_a_file_name_that_is_not_utf8() -> None:
    name = b"caf\xe9.pcap".decode("utf-8", "surrogateescape")
    assert visible(name) == r"caf\udce9.pcap"


def test_names_that_look_alike_are_told_apart() -> None:
    assert visible("bot\u200bnet") != visible("botnet")


@pytest.mark.parametrize(
    "text",
    ["Virut", "C:\\captures\\a.pcap", "naïve", "日本語", "שלום", "Ω≈ç√", "[green]APPROVED[/]"],
)
def test_honest_text_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_every_kind_of_blank_is_a_blank() -> None:
    assert visible("a\u00a0b\u2003c\u3000d") == "a b c d"


def test_combining_marks_stay_on_their_letter_and_do_not_pile_up() -> None:
    assert visible("e\u0301") == "e\u0301"
    assert visible("\u0301e") == r"\u0301e"
    shown = visible("e" + "\u0301" * 6)
    assert shown == "e" + "\u0301" * 4 + r"\u0301\u0301"


def test_length_is_capped_with_an_ellipsis() -> None:
    assert visible("a" * 200) == "a" * 200
    assert visible("a" * 201) == "a" * 199 + "…"
    assert visible("abcdef", 3) == "ab…"
    assert visible("\x00" * 200) == (r"\x00" * 50)[:199] + "…"
    assert visible("") == ""


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 300))
@example("\ud800\udfff", 200)
@example("\x1b]0;x\x07" * 100, 200)
def test_any_text_is_short_and_visible(text: str, limit: int) -> None:
    shown = visible(text, limit)
    assert len(shown) <= limit
    assert_all_visible(shown)
    assert visible(shown, limit) == shown


def test_every_code_point_is_visible_or_escaped() -> None:
    for code in range(0x110000):
        character = chr(code)
        shown = visible("a" + character)
        if shown == "a" + character:
            assert unicodedata.category(character)[0] != "C"
        else:
            assert shown.isascii()


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_lines_stay_lines_and_nothing_else_gets_through(text: str) -> None:
    for line in visible_lines(text):
        assert_all_visible(line)


def test_lines_are_kept_and_capped_together() -> None:
    assert visible_lines("one\r\ntwo\nthree") == ["one", "two", "three"]
    assert visible_lines("one\rtwo") == [r"one\rtwo"]
    assert visible_lines("one\ntwo\nthree", limit=6) == ["one", "tw…"]
    assert visible_lines("") == [""]


@pytest.mark.parametrize("name", ATTACKS)
def test_terminal_receives_no_control_byte(name: str) -> None:
    """Unstyled foreign text makes rich send no escape at all."""
    sent = printed(ATTACKS[name].decode())
    assert_all_visible(sent.rstrip("\n"))


def test_markup_from_data_stays_text() -> None:
    assert printed("[green]APPROVED[/]") == "[green]APPROVED[/]\n"
    assert printed("[/etc/passwd]") == "[/etc/passwd]\n"
    assert printed("[link=http://x]y[/link] :smile:") == "[link=http://x]y[/link] :smile:\n"


def test_style_is_ours_alone() -> None:
    assert safe_text("\x1b[31mred", "bold").style == "bold"
    assert safe_text("x" * 50, limit=10).plain == "x" * 9 + "…"


def printed(text: str) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=300)
    console.print(safe_text(text))
    return console.file.getvalue()  # type: ignore[attr-defined]


def assert_all_visible(text: str) -> None:
    for character in text:
        category = unicodedata.category(character)
        assert category not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"), hex(ord(character))
        assert not 0xFE00 <= ord(character) <= 0xFE0F
        assert not 0xE0000 <= ord(character) <= 0xE01EF
