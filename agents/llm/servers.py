"""What is remembered of servers between runs, by model and address: never a key."""

import json
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.store.files import write_atomic

FILE = "llm_servers.json"

Method = Literal["json_schema", "tools", "json_mode", "prompt"]
"""How a model is asked for an object, the surest first."""
METHODS: tuple[Method, ...] = get_args(Method)


class Server(BaseModel):
    """What ``netloop doctor`` found out about one model at one server."""

    model_config = ConfigDict(frozen=True)

    method: Method
    usage: bool
    """Whether it says how many tokens it used."""
    streaming: bool
    seen: str
    """When, in UTC."""


def known_server(workspace: Path, who: str) -> Server | None:
    """What is known of ``who`` (a model at an address); None if nobody tried it here."""
    return _servers(workspace).get(who)


def remember_server(workspace: Path, who: str, server: Server) -> None:
    """Keep what was found for the next run. Raises OSError if the workspace cannot be written."""
    servers = {**_servers(workspace), who: server}
    content = {name: found.model_dump() for name, found in sorted(servers.items())}
    workspace.mkdir(parents=True, exist_ok=True)
    write_atomic(workspace / FILE, json.dumps(content, indent=2) + "\n")


def _servers(workspace: Path) -> dict[str, Server]:
    """All of them; a damaged file is none, for it can be found out again."""
    try:
        content = json.loads((workspace / FILE).read_bytes())
        return {name: Server.model_validate(found) for name, found in content.items()}
    except (OSError, ValueError, AttributeError, ValidationError):
        return {}
