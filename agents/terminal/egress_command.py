"""``netloop egress``: every byte of a run that was sent to a language model's server."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Workspace
from agents.terminal.runs_commands import Run, find_run
from pipelines.errors import NetloopError
from pipelines.visible import visible, visible_lines

FILE = "egress.jsonl"
NOTHING = "Nothing left this machine.\n"


def egress(run: Run, as_json: Json = False, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Print what left this machine for a run, byte for byte.

    When, to whom, how many bytes, then the bytes; on a terminal, control characters are shown.

    Example: netloop egress last
    """
    sent = read_egress(find_run(run, workspace).path / FILE)
    if as_json:
        sys.stdout.write(json.dumps(sent) + "\n")
    elif not sent:
        sys.stdout.write(NOTHING)
    elif sys.stdout.isatty():
        sys.stdout.write("\n".join(line for one in sent for line in _shown(one)) + "\n")
    else:
        sys.stdout.flush()
        for one in sent:
            sys.stdout.buffer.write(_heading(one).encode() + b"\n" + body_of(one) + b"\n")
        sys.stdout.buffer.flush()


def read_egress(path: Path) -> list[dict[str, Any]]:
    """What was sent, oldest first: a record a request; empty if nothing was.

    Raises NetloopError, which names the line, for a file that is damaged: it then does not tell
    all that was sent.
    """
    if not path.exists():
        return []
    sent = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            record = json.loads(line)
            body_of(record)
            _heading(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NetloopError(
                f"Line {number} of {path} is damaged: what was sent cannot be told for certain.",
                "Its other lines are JSON, one a request.",
            ) from error
        sent.append(record)
    return sent


def body_of(record: dict[str, Any]) -> bytes:
    """The bytes of a request's body: of its text, or where they were no text, of their base64.

    Raises ValueError if they are not as many as were sent.
    """
    if "base64" in record:
        body = base64.b64decode(record["base64"], validate=True)
    else:
        body = record["body"].encode()
    if len(body) != record["bytes"]:
        raise ValueError("not all that was sent is here")
    return body


def _heading(record: dict[str, Any]) -> str:
    words = (str(record[key]) for key in ("at", "method", "url"))
    what = f"{' '.join(words)}: {record['bytes']:,} bytes, {record['place']}"
    return visible(what, 1000)


def _shown(record: dict[str, Any]) -> list[str]:
    body = body_of(record).decode("utf-8", "backslashreplace")
    return [_heading(record), *visible_lines(body, 10 * len(body) + 1), ""]
