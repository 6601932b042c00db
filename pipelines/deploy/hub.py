"""The hub: it tells every site when to learn and when to judge, one site after the other.

In turn, because all processes share this machine: a site that worked beside another would look
slower than it is.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipelines.deploy.job import HubReport, Job, Layout
from pipelines.deploy.made import with_made
from pipelines.deploy.payloads import rows_from_bytes, rows_to_bytes
from pipelines.deploy.wire import JSON, MODEL, ROWS, Channel
from pipelines.errors import NetloopError
from pipelines.models.base import Classifier, predict
from pipelines.models.fitting import fit_rows

LEARN, TAKE, JUDGE = "learn", "take", "judge"
# What sites send of their learning.
SENT: dict[Layout, bytes] = {"centralised": ROWS, "hybrid": MODEL}


def lead(layout: Layout, job: Job, channels: Sequence[Channel], folder: Path) -> HubReport:
    """Take all sites through learning and judging in one layout.

    ``folder`` may hold synthetic rows to learn from beside those that sites send.

    Raises LostPeer if one is gone, NetloopError for a message that makes no sense, InputError if
    their rows cannot be learned from.
    """
    sent = [_learn(channel, SENT.get(layout)) for channel in channels]
    model, seconds = None, 0.0
    if layout == "centralised":
        start = time.perf_counter()
        rows = [rows_from_bytes(content) for contents in sent for content in contents]
        learned = with_made(pa.concat_tables(rows), folder)
        model = fit_rows(job.model, learned, job.masks, job.seed)
        seconds = time.perf_counter() - start
    elif layout == "hybrid":
        seconds = max(
            _give(channel, [model for models in sent if models is not own for model in models])
            for channel, own in zip(channels, sent, strict=True)
        )
    for channel in channels:
        _judge(channel, model)
    return HubReport(
        trained=model is not None,
        seconds=seconds,
        bytes_sent=sum(channel.sent for channel in channels),
    )


def _learn(channel: Channel, wanted: bytes | None) -> list[bytes]:
    """Let a site learn; what it sends of the ``wanted`` kind until it says that it is done."""
    channel.send_json({"do": LEARN})
    contents: list[bytes] = []
    while True:
        kind, content = channel.receive()
        if kind == JSON:
            return contents
        if kind != wanted:
            raise NetloopError(f"{channel.peer} sent something that was not asked for.")
        contents.append(content)


def _give(channel: Channel, models: Sequence[bytes]) -> float:
    """Send the other sites' models to a site; the seconds until it has read them."""
    start = time.perf_counter()
    channel.send_json({"do": TAKE, "models": len(models)})
    for content in models:
        channel.send(MODEL, content)
    channel.receive_json()
    return time.perf_counter() - start


def _judge(channel: Channel, model: Classifier | None) -> None:
    """Let a site judge, and judge what it sends here, until it says that it is done."""
    channel.send_json({"do": JUDGE})
    while True:
        kind, content = channel.receive()
        if kind == JSON:
            return
        if kind != ROWS or model is None:
            raise NetloopError(f"{channel.peer} sent something that was not asked for.")
        verdicts = pa.table({"verdict": predict(model, rows_from_bytes(content)).tolist()})
        channel.send(ROWS, rows_to_bytes(verdicts))
