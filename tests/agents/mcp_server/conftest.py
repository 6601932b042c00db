"""The real server as a subprocess, spoken to by the official client, and a run taken through it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import ElicitRequestParams, ElicitResult

from pipelines.store.run import RunFolder

SERVER = ["-m", "agents.terminal.app", "mcp"]
Form = dict[str, Any]


@dataclass
class Person:
    """Who sits at the client: fills in forms with the answers laid out, and remembers them."""

    fills: list[Form | str] = field(default_factory=list)
    """What each form is answered with, the last one again and again; a word is decline, cancel."""
    messages: list[str] = field(default_factory=list)
    schemas: list[dict[str, Any]] = field(default_factory=list)

    def sits_down(self, *fills: Form | str) -> None:
        """Begin anew, with these answers."""
        self.fills, self.messages, self.schemas = [*fills], [], []

    async def __call__(self, context: object, params: ElicitRequestParams) -> ElicitResult:
        self.messages.append(params.message)
        self.schemas.append(getattr(params, "requested_schema"))  # noqa: B009
        fill = self.fills.pop(0) if len(self.fills) > 1 else self.fills[0]
        if isinstance(fill, str):
            return ElicitResult(action=fill)
        return ElicitResult(action="accept", content=fill)


@dataclass
class Served:
    """One client at one server."""

    portal: BlockingPortal
    client: Client
    workspace: Path
    progress: list[tuple[float, str | None]] = field(default_factory=list)
    """Of the last call."""

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a tool, or a failed test with its error."""
        result = self._result(name, arguments)
        assert not result.is_error, result.content[0].text
        assert json.loads(result.content[0].text) == result.structured_content
        return result.structured_content

    def refused(self, name: str, **arguments: Any) -> str:
        """The words of a tool that refuses."""
        result = self._result(name, arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text

    def run(self, name: str) -> RunFolder:
        """The folder of a run."""
        return RunFolder.open(self.workspace, name)

    def _result(self, name: str, arguments: dict[str, Any]) -> Any:
        self.progress = progress = []

        async def note(done: float, total: float | None, message: str | None) -> None:
            progress.append((done, message))

        async def call() -> Any:
            return await self.client.call_tool(name, arguments, progress_callback=note)

        return self.portal.call(call)


@contextmanager
def serve(
    workspace: Path, person: Person | None = None, mode: str = "auto", **env: str
) -> Iterator[Served]:
    """A client of its own server; without a person it cannot show forms."""
    server = StdioServerParameters(
        command=sys.executable,
        args=[*SERVER, "--workspace", str(workspace)],
        env={"OMP_NUM_THREADS": "1", **env},
    )
    workspace.mkdir(exist_ok=True)
    with (workspace / "server.log").open("a") as log, start_blocking_portal() as portal:
        client = Client(stdio_client(server, log), elicitation_callback=person, mode=mode)
        with portal.wrap_async_context_manager(client):
            yield Served(portal, client, workspace)


@pytest.fixture(scope="session")
def content(table: Path) -> Callable[..., dict[str, Any]]:
    """A spec over the small table, as a client writes it; keyword arguments replace its parts."""

    def make(**parts: Any) -> dict[str, Any]:
        return {
            "goal": "Tell attacks from normal records",
            "data": {"source": str(table), "label": "kind"},
            "design": {"candidates": ["majority", "logistic_regression"]},
            **parts,
        }

    return make


@dataclass
class Walk:
    """A life cycle from spec to report by way of the client, and all that was said on the way."""

    run: RunFolder
    messages: list[str]
    schemas: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    progress: list[list[tuple[float, str | None]]]


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Person]]:
    """A server and the person at its client."""
    person = Person()
    with serve(tmp_path_factory.mktemp("desk") / "ws", person) as client:
        yield client, person


@pytest.fixture(scope="session")
def mute(desk: tuple[Served, Person]) -> Iterator[Served]:
    """A second client of the same workspace, which cannot show forms."""
    with serve(desk[0].workspace) as client:
        yield client


@pytest.fixture(scope="session")
def walk(desk: tuple[Served, Person], content: Callable[..., dict[str, Any]]) -> Walk:
    """Every plan approved by the person, who names a target in the first form."""
    client, person = desk
    person.sits_down({"decision": "approve", "answer_1": "0.51"}, {"decision": "approve"})
    answers = [client.call("begin_run", spec=content())]
    progress = [client.progress]
    while (pending := answers[-1]["pending"]) is not None:
        run = answers[-1]["run"]
        answers.append(client.call("approve_plan", run=run, plan=pending["digest"]))
        progress.append(client.progress)
    return Walk(client.run(run), person.messages, person.schemas, answers, progress)


@pytest.fixture
def waiting(desk: tuple[Served, Person], content: Callable[..., dict[str, Any]]) -> tuple[str, str]:
    """A new run whose first plan waits: its id, and the digest of the plan."""
    client, person = desk
    person.sits_down()
    begun = client.call("begin_run", spec=content())
    return begun["run"], begun["pending"]["digest"]
