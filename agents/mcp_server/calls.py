"""How a tool of the server runs: in a thread, reported on, stopped between steps when cancelled."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from agents.mcp_server.seen import seen
from pipelines.errors import NetloopError
from pipelines.visible import visible

Answer = dict[str, Any]
LONGEST_ERROR = 1200
SECONDS_BETWEEN_REPORTS = 0.25


@dataclass
class Hands:
    """What long work holds: where it says how far it is, and whether it is to stop.

    The words are read by the event loop and written by the working thread, which never waits for
    the loop: a client that has gone cannot hold up or break a step.
    """

    words: str = "at work"
    told: str = ""
    reports: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def progress(self, what: str, done: float, total: float | None, unit: str) -> None:
        """A ``pipelines.progress.Progress`` that keeps the last words."""
        count = f"{done:g}" if total is None else f"{done:g}/{total:g}"
        self.words = f"{what}: {count} {unit}"


async def answered(task: Callable[[], Answer]) -> Answer:
    """The answer of ``task`` as a client may see it. Raises ToolError for what netloop refuses."""
    try:
        return dict(seen(await anyio.to_thread.run_sync(task)))
    except NetloopError as error:
        raise ToolError(visible(str(error), LONGEST_ERROR)) from error


async def worked(context: Context[Any, Any], task: Callable[[Hands], Answer]) -> Answer:
    """``answered`` for work that takes long: the client is told how far it is, and how far it came.

    A request that is cancelled, or whose client has gone, stops the run at its next step boundary;
    the thread is waited for, so that the run is at rest when this ends.
    """
    hands = Hands()
    async with anyio.create_task_group() as group:
        group.start_soon(_report, context, hands)
        outcome = await _outcome(partial(task, hands))
        group.cancel_scope.cancel()
    await _tell(context, hands)
    if isinstance(outcome, ToolError):
        raise outcome
    return outcome


async def _outcome(task: Callable[[], Answer]) -> Answer | ToolError:
    """An error as a value: a task group would wrap it."""
    try:
        return await answered(task)
    except ToolError as error:
        return error


async def _report(context: Context[Any, Any], hands: Hands) -> None:
    """Tells what changed, until it is cancelled."""
    try:
        while True:
            await _tell(context, hands)
            await anyio.sleep(SECONDS_BETWEEN_REPORTS)
    finally:
        hands.stop.set()


async def _tell(context: Context[Any, Any], hands: Hands) -> None:
    """Progress counts reports, for it must rise and phases begin again from nothing."""
    words = hands.words
    if words != hands.told:
        hands.reports += 1
        await context.report_progress(hands.reports, message=seen(words))
        hands.told = words
