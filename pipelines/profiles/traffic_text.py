"""Traffic text: a flow as one line that a language model reads."""

import numpy as np
import pyarrow as pa

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_rows import flow_rows
from pipelines.capture.flow_table import Update
from pipelines.capture.settings import FlowSettings
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.profiles.profile import Column, Profile, schema_of
from pipelines.represent.traffic_text import row_texts

COLUMNS = (
    Column(
        "text",
        pa.string(),
        "payload",
        "",
        "Protocol, totals and first packets, without identifiers",
        "see above",
        ("protocol", "counts", "sizes", "gaps", "flags"),
    ),
)


def _columns(settings: FlowSettings) -> tuple[Column, ...]:
    return COLUMNS


class _TrafficText:
    def __init__(self, settings: FlowSettings) -> None:
        self._settings = settings
        self._schema = schema_of(COLUMNS)

    def add(self, batch: PacketBatch, update: Update) -> pa.Table:
        return self.end(update.ended)

    def end(self, flows: np.ndarray) -> pa.Table:
        rows = flow_rows(flows, self._settings)
        texts = [str(text) for text in row_texts(rows, DEFAULT_MASKS)]
        return pa.table([pa.array(texts, pa.string())], schema=self._schema)


TRAFFIC_TEXT = Profile(
    name="text",
    title="Traffic text",
    unit="flow",
    notes="""\
The text that a language model reads. It is compact and can be read back exactly
(`pipelines.represent.traffic_text.parse_text`):

    tcp4 n=5>4 b=900>5120 t=1.2s▸74S◂74SA˖21m▸66A▸583PA˖1m⠖⠃⠁⠂

That is protocol and IP version; packets and bytes of both ways; the duration; then each of the
first packets: `▸` from the initiator or `◂` to it, its length on the wire in bytes, TCP flags (the
bits of the byte from FIN on: `FSRPAUEC`), the time since the packet before (`u`, `m`, `s` for
micro-, milli- and whole seconds, two digits of it), and payload. A payload byte b is the Braille
pattern U+2800 + b: there are 256 of them, each one column wide, and no other text holds any, so
that payload cannot pass for words, nor a token made of it match in an instruction. Identifiers are
never in it. It is one column, so `--masks` cannot leave a part of it out.""",
    columns=_columns,
    open=_TrafficText,
)
