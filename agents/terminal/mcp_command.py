"""``netloop mcp``: runs, plans and sources for any agent that speaks the Model Context Protocol."""

import sys

from agents.terminal.options import DEFAULT_WORKSPACE, Workspace
from pipelines.errors import InputError


def mcp(workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Serve an agent client over stdin and stdout.

    Its model looks and proposes; only a person approves a plan.

    Example: netloop mcp --workspace .netloop
    """
    if sys.stdin.isatty():
        raise InputError(
            "netloop mcp speaks with a program, not with a person.",
            "Name it as a server in your agent's settings (docs/mcp.md), or: netloop chat",
        )
    from agents.mcp_server.server import build_server

    build_server(workspace.resolve()).run()
