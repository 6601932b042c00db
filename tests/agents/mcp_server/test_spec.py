"""Which specs a client may begin a run from, and what its errors must not tell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.mcp_server.spec import runnable_spec
from pipelines.errors import InputError

Content = Callable[..., dict[str, Any]]


def test_a_mapping_and_a_file_make_the_same_spec(content: Content, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(content()))
    assert runnable_spec(content()) == runnable_spec(str(path))


def test_a_file_may_name_the_environment_but_a_client_may_not(
    content: Content, tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TABLE", str(table))
    found = content(data={"source": "$MY_TABLE", "label": "kind"})
    path = tmp_path / "spec.yml"
    path.write_text(yaml.safe_dump(found))
    assert runnable_spec(str(path)).data.source == str(table)
    with pytest.raises(InputError, match="environment variable") as error:
        runnable_spec(found)
    assert str(table) not in str(error.value)


@pytest.mark.parametrize(
    "part",
    [
        {"data": {"source": "x", "label": "${OPENAI_API_KEY}"}},
        {"design": {"candidates": ["traffic_lm"], "traffic_lm": {"base": "$OPENAI_API_KEY"}}},
    ],
    ids=["data", "design"],
)
def test_no_part_of_a_mapping_reads_the_environment(
    content: Content, part: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with pytest.raises(InputError) as error:
        runnable_spec(content(**part))
    assert "sk-secret" not in str(error.value)


@pytest.mark.parametrize(
    "words",
    ["- secret: [", "secret_key: 1", "goal: Tell apart\ndata: {source: /no/secret}", "secret"],
    ids=["no YAML", "no such key", "no such source", "no mapping"],
)
def test_a_file_that_is_no_spec_tells_nothing_of_itself(tmp_path: Path, words: str) -> None:
    path = tmp_path / "notes.yaml"
    path.write_text(words)
    with pytest.raises(InputError, match="cannot be run as it is") as error:
        runnable_spec(str(path))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("path", ["/etc/passwd", "/dev/zero", "/no/spec.yaml", "", "/"])
def test_only_a_yaml_file_is_read(path: str) -> None:
    with pytest.raises(InputError, match="is no YAML file"):
        runnable_spec(path)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("data.accept_shortcuts", "it is fine", "accepts a leak"),
        ("data.executor", "tcp://192.0.2.1:8786", "another machine"),
        ("llm_sees", "raw", "see more of the data"),
        ("llm_sees", "redacted", "see more of the data"),
    ],
)
def test_what_only_a_person_may_say_is_refused(
    content: Content, tmp_path: Path, place: str, value: str, words: str
) -> None:
    spec = content()
    part, _, key = place.rpartition(".")
    (spec[part] if part else spec)[key] = value
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    for given in (spec, str(path)):
        with pytest.raises(InputError, match=words) as error:
            runnable_spec(given)
        assert "netloop run" in error.value.mend


def test_a_source_that_is_not_there_is_refused_before_a_run_is_made(content: Content) -> None:
    with pytest.raises(InputError, match="/no/such/place"):
        runnable_spec(content(data={"source": "/no/such/place"}))
