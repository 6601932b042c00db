"""What servers' refusals mean, by their wording."""

import datetime
import email.utils

import pytest

from agents.llm.faults import fault_of, seconds_to_wait, speaks_of_method, speaks_of_sampling
from agents.llm.reply import server_words


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, '{"error": {"message": "x", "code": "context_length_exceeded"}}', "context_too_long"),
        (400, "This model's maximum context length is 8192 tokens.", "context_too_long"),
        (400, "the request exceeds the available context size (4096)", "context_too_long"),
        (400, "Prompt is too long: 9000 tokens", "context_too_long"),
        (
            400,
            "tokens to keep from the prompt exceed the context length",
            "context_too_long",
        ),
        (413, "", "context_too_long"),
        (400, "context is everything", "bad_request"),
        (404, '{"error": {"message": "The model `x` does not exist."}}', "unknown_model"),
        (404, '{"error": {"message": "model \\"x\\" not found, try pulling it"}}', "unknown_model"),
        (400, '{"error": {"message": "Invalid model name passed in model=x"}}', "unknown_model"),
        (404, '{"detail": "Not Found"}', "not_found"),
        (404, "<html>model not found</html>", "not_found"),
        (400, "'response_format.type' must be 'json_schema' or 'text'", "bad_request"),
        (405, "", "bad_request"),
        (422, "", "bad_request"),
        (401, "", "auth"),
        (402, "", "quota"),
        (403, "", "forbidden"),
        (408, "", "timeout"),
        (429, "Rate limit reached", "rate_limited"),
        (429, "You exceeded your current quota, please check your billing details.", "quota"),
        (500, "", "server_error"),
        (502, "<html>", "server_error"),
        (503, "Loading model", "server_error"),
        (504, "", "timeout"),
        (529, "", "server_error"),
        (302, "", "redirected"),
    ],
)
def test_a_refusal_has_a_name(status: int, body: str, fault: str) -> None:
    assert fault_of(status, body) == fault


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "a", "code": 1}}', "a"),
        ('{"error": "a"}', "a"),
        ('{"object": "error", "message": "a"}', "a"),
        ('{"detail": "a"}', "a"),
        ('{"detail": [{"loc": ["body"]}]}', '[{"loc": ["body"]}]'),
        ('{"error": null}', '{"error": null}'),
        ("plain", "plain"),
        ("<html>a</html>", ""),
        ("", ""),
        ("[" * 100_000, "[" * 500),
    ],
)
def test_what_the_server_says_is_found(body: str, words: str) -> None:
    assert server_words(body) == words


@pytest.mark.parametrize(
    "words",
    [
        "'response_format.type' must be 'json_schema' or 'text'",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        "x does not support tools",
        "Failed to initialize samplers: failed to parse grammar",
        "structured outputs are not supported",
    ],
)
def test_words_about_the_method_are_known(words: str) -> None:
    assert speaks_of_method(words)
    assert not speaks_of_sampling(words)


def test_words_about_sampling_are_known() -> None:
    words = "Unsupported value: 'temperature' does not support 0 with this model."
    assert speaks_of_sampling(words)
    assert not speaks_of_method(words)


def test_how_long_to_wait() -> None:
    assert seconds_to_wait({"retry-after": "3"}) == 3
    assert seconds_to_wait({"retry-after": "0.5"}) == 0.5
    assert seconds_to_wait({"retry-after": "-1"}) == 0
    assert seconds_to_wait({}) is None
    assert seconds_to_wait({"retry-after": "soon"}) is None
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    waited = seconds_to_wait({"retry-after": email.utils.format_datetime(soon)})
    assert waited is not None
    assert 50 < waited <= 60
    past = email.utils.format_datetime(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    assert seconds_to_wait({"retry-after": past}) == 0
    assert seconds_to_wait({"retry-after": "Thu, 01 Jan 2020 00:00:00 -0000"}) is None
