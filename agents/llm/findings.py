"""What ``netloop doctor`` says of the language model."""

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from agents.llm.failures import LlmFailure
from agents.llm.probe import known_models, probe
from agents.llm.servers import Server
from agents.llm.settings import LlmSettings, llm_key, llm_settings
from pipelines.errors import NetloopError
from pipelines.visible import visible


def findings(workspace: Path) -> Iterator[tuple[bool, str, str]]:
    """Whether all is well, what was found, how to mend it. A server that is configured is tried."""
    try:
        settings, key = llm_settings(workspace), llm_key()
        if settings is None:
            yield True, _without_model(), ""
            return
        server = _tried(settings, key, workspace)
    except NetloopError as error:
        yield False, error.message, error.mend
    except OSError as error:
        yield False, f"the language model was not tried: {error}", "Make that place writable."
    else:
        yield True, f"planner: {visible(settings.who)}", ""
        yield True, f"it gives objects by {server.method}; {_reports(server)}", ""


def _without_model() -> str:
    """How to get one. The key itself is never shown."""
    key = "set" if os.environ.get("OPENAI_API_KEY") else "not set"
    return (
        f"planner: rules, no language model (OPENAI_API_KEY is {key})\n"
        "      To plan with one, set NETLOOP_MODEL and OPENAI_BASE_URL: docs/llm.md"
    )


def _tried(settings: LlmSettings, key: SecretStr, workspace: Path) -> Server:
    """What is found out about the server. Raises LlmFailure, which names its models if it can."""
    try:
        return probe(settings, key, workspace)
    except LlmFailure as failure:
        if failure.fault == "unknown_model" and (names := known_models(settings, key, workspace)):
            failure.mend = f"{failure.mend} It has: {visible(', '.join(names), 300)}"
        raise


def _reports(server: Server) -> str:
    usage = "it counts its tokens" if server.usage else "tokens are estimated, for it counts none"
    return f"{usage}; {'it streams' if server.streaming else 'it does not stream'}"
