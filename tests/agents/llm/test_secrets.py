"""The key is in no file, no error, no log, whatever the server does."""

import logging

import pytest
from llm_desk import CANARY, GOOD, OpenDesk, all_that_is_told

from agents.llm.failures import LlmFailure
from agents.llm.redact import redact, without
from agents.llm.settings import LlmSettings

ECHOES = ("echo_key", "echo_key_200", "echo_key_500", "echo_key_said")


@pytest.mark.parametrize("mode", ["ok", *ECHOES, "server_error", "hang_up", "half_body"])
def test_the_key_is_sent_and_nowhere_else(
    desk: OpenDesk, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After every other failure too: see ``Desk.fails`` and the fixture ``desk``."""
    caplog.set_level(logging.DEBUG)
    with desk(default=mode) as at:
        llm = at.llm()
        if mode == "ok":
            at.ask()
        else:
            at.fails()
        assert at.server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
        assert CANARY not in repr(llm) + repr(vars(llm)) + caplog.text


@pytest.mark.parametrize("mode", [*ECHOES, "stream_cut"])
def test_the_key_is_nowhere_after_words(desk: OpenDesk, mode: str) -> None:
    error: BaseException = LookupError("none")
    with desk(default=mode) as at:
        try:
            at.llm().say([("user", "Why?")], "a")
        except LlmFailure as failure:
            error = failure
        assert CANARY not in all_that_is_told(error)


def test_a_model_that_streams_the_key_back_does_not_get_it_into_a_file(desk: OpenDesk) -> None:
    with desk(reply=lambda request: f"Your key is {CANARY}.") as at:
        at.llm().say([("user", "Why?")], "a")
        assert at.log.recorded("a") == "Your key is ***."


def test_a_key_that_no_header_takes_is_not_shown(desk: OpenDesk) -> None:
    with desk() as at:
        at.key = f"{CANARY}\n"
        with pytest.raises(LlmFailure) as failed:
            at.ask()
        assert CANARY not in all_that_is_told(failed.value)


def test_a_login_in_the_address_is_sent_and_never_shown(desk: OpenDesk) -> None:
    with desk("server_error") as at:
        address = at.server.base_url.replace("://", "://ann:hunter2-s3cret%21@")
        settings = LlmSettings(base_url=address, model="m")
        assert settings.base_url == at.server.base_url
        assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
        at.ask(base_url=address)
        assert at.server.requests[0].headers["authorization"].startswith("Basic ")
        failure = at.fails(place="b", base_url=address, model="gone", offline=True)
        written = "".join(path.read_text() for path in at.run.iterdir())
        assert "hunter2" not in all_that_is_told(failure) + written


def test_a_short_placeholder_for_a_key_does_not_black_out_answers(desk: OpenDesk) -> None:
    with desk(reply=lambda request: '{"city": "ollama"}') as at:
        at.key = "ollama"
        assert at.ask().city == "ollama"


def test_a_server_without_keys_gets_a_placeholder(desk: OpenDesk) -> None:
    with desk(reply=lambda request: GOOD) as at:
        at.key = ""
        at.ask()
        assert at.server.requests[0].headers["authorization"] == "Bearer none"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bad key my+secret/value", "bad key ***"),
        ("?k=my%2Bsecret%2Fvalue", "?k=***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ('{"authorization": "Basic YWJj"}', '{"authorization": "***"}'),
        ("send Bearer abcdefgh1234 again", "send Bearer *** again"),
        ("key sk-proj-abc_DEF-123 expired", "key *** expired"),
        ("sk-learn is fine", "sk-learn is fine"),
        ("http://ann:pw@host/v1", "http://***@host/v1"),
        ("https://token@host", "https://***@host"),
        ("ask me@example.org", "ask me@example.org"),
    ],
)
def test_what_looks_like_a_secret_is_starred(text: str, shown: str) -> None:
    assert redact(text, "my+secret/value") == shown


def test_only_the_secrets_themselves_are_taken_out_of_answers() -> None:
    assert without("sk-proj-abc_DEF-123 my+secret/value", "my+secret/value", "") == (
        "sk-proj-abc_DEF-123 ***"
    )
