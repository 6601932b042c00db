"""A site: it learns from its own rows and judges its own rows, as its layout has it."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.deploy.ensemble import Ensemble
from pipelines.deploy.hub import JUDGE, LEARN, TAKE
from pipelines.deploy.job import TEST, TRAIN, Job, Layout, SiteReport
from pipelines.deploy.made import with_made
from pipelines.deploy.payloads import (
    in_pieces,
    pack_model,
    rows_from_bytes,
    rows_to_bytes,
    unpack_model,
)
from pipelines.deploy.wire import MODEL, ROWS, Channel
from pipelines.errors import NetloopError
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import Classifier, labels_of
from pipelines.models.fitting import fit_rows
from pipelines.models.registry import load_model
from pipelines.store.rows import read_rows

Judge = Callable[[pa.Table], list[str]]


def take_part(layout: Layout, folder: Path, job: Job, channel: Channel) -> SiteReport:
    """Do what the hub says in one layout with the rows in ``folder``.

    Raises LostPeer if the hub is gone, InputError if the rows cannot be learned from; a site with
    fewer than two classes is no error, it trains nothing.
    """
    rows, test = read_rows(folder / TRAIN), read_rows(folder / TEST)
    learned = with_made(rows, folder)
    _ordered(channel, LEARN)
    start = time.perf_counter()
    own = None
    if layout == "centralised":
        for piece in in_pieces(rows):
            channel.send(ROWS, rows_to_bytes(piece))
    elif len(set(labels_of(rows))) > 1:
        own = fit_rows(job.model, learned, job.masks, job.seed)
        if layout == "hybrid":
            channel.send(MODEL, _packed(own))
    channel.send_json({"trained": own is not None})
    seconds = time.perf_counter() - start

    others = _take(channel) if layout == "hybrid" else []
    bytes_train = channel.sent
    _ordered(channel, JUDGE)
    judge: Judge | None = None
    if layout == "centralised":
        judge = partial(_ask_hub, channel)
    elif own is not None or others:
        judge = Ensemble(others, own).verdicts
    verdicts, latency_ms = _judged(test, job.batch, judge)
    scores = {} if layout == "centralised" else _scores(test, verdicts)
    channel.send_json({"rows": test.num_rows, **scores})
    return SiteReport(
        trained=own is not None,
        seconds=seconds,
        verdicts=verdicts,
        latency_ms=latency_ms,
        bytes_train=bytes_train,
        bytes_judge=channel.sent - bytes_train,
    )


def _ordered(channel: Channel, what: str) -> int:
    """Wait until the hub says ``what``; how many models it will send."""
    order = channel.receive_json()
    if order.get("do") != what:
        raise NetloopError(f"The hub said {order.get('do')!r} where {what!r} is next.")
    return int(order.get("models", 0))


def _packed(model: Classifier) -> bytes:
    with tempfile.TemporaryDirectory(prefix="netloop-model-") as folder:
        model.save(Path(folder))
        return pack_model(Path(folder))


def _take(channel: Channel) -> list[Classifier]:
    """The other sites' models, from the hub. Raises InputError for one that is not safe."""
    models = []
    count = _ordered(channel, TAKE)
    with tempfile.TemporaryDirectory(prefix="netloop-models-") as folder:
        for number in range(count):
            kind, content = channel.receive()
            if kind != MODEL:
                raise NetloopError("The hub sent something that is no model.")
            unpack_model(content, Path(folder) / str(number))
            models.append(load_model(Path(folder) / str(number)))
    channel.send_json({"read": count})
    return models


def _ask_hub(channel: Channel, rows: pa.Table) -> list[str]:
    channel.send(ROWS, rows_to_bytes(rows))
    kind, content = channel.receive()
    if kind != ROWS:
        raise NetloopError("The hub sent something that is no verdict.")
    verdicts: list[str] = rows_from_bytes(content)["verdict"].to_pylist()
    return verdicts


def _judged(
    test: pa.Table, batch: int, judge: Judge | None
) -> tuple[list[str] | None, list[float]]:
    """The verdict on each row, and the milliseconds that each batch took; labels are not shown."""
    if judge is None:
        return None, []
    rows = test.drop_columns("label")
    verdicts: list[str] = []
    latency_ms = []
    for start in range(0, rows.num_rows, batch):
        begun = time.perf_counter()
        verdicts += judge(rows.slice(start, batch))
        latency_ms.append(1000 * (time.perf_counter() - begun))
    return verdicts, latency_ms


def _scores(test: pa.Table, verdicts: list[str] | None) -> dict[str, float]:
    """All that a site tells of its own verdicts."""
    if not verdicts:
        return {}
    labels = labels_of(test)
    right = np.array(labels, object) == np.array(verdicts, object)
    return {"accuracy": float(right.mean()), "macro_f1": macro_f1(labels, verdicts)}
