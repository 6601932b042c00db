"""What the network reads: tokens of captures, or scaled columns of tables."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipelines.datasets.fields import PROTOCOLS, feature_columns, group_of
from pipelines.errors import InputError
from pipelines.features.columns import expression_of
from pipelines.models.cnn.architecture import Architecture
from pipelines.models.cnn.cost import InputShape
from pipelines.represent.features import FeatureEncoder
from pipelines.represent.scaling import Scaler
from pipelines.represent.tokens import TrafficTokens


class TableInputs(BaseModel):
    """Scaled columns (rows, features) of table records."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["table"] = "table"
    encoder: FeatureEncoder
    scaler: Scaler

    @classmethod
    def fit(cls, rows: pa.Table, masks: Sequence[str]) -> Self:
        """Learn columns and scales from the training rows."""
        encoder = FeatureEncoder.fit(rows, masks)
        return cls(encoder=encoder, scaler=Scaler.fit(encoder.transform(rows)))

    def arrays(self, rows: pa.Table) -> list[np.ndarray]:
        """What the network reads of ``rows``."""
        return [self.scaler.transform(self.encoder.transform(rows))]

    def shape(self) -> InputShape:
        """How many columns each row gives."""
        return InputShape(columns=len(self.scaler.mean))


class TrafficInputs(BaseModel):
    """Packet tokens (rows, packets, 5) and payload bytes (rows, bytes) of flows or packets.

    Where rows tell what their protocols say, or have derived columns, these columns are read as
    well: ``said``.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["traffic"] = "traffic"
    tokens: TrafficTokens
    said: TableInputs | None = None

    def arrays(self, rows: pa.Table) -> list[np.ndarray]:
        """What the network reads of ``rows``."""
        said = self.said.arrays(rows) if self.said else []
        return [self.tokens.transform_packets(rows), self.tokens.transform_payload(rows), *said]

    def shape(self) -> InputShape:
        """How many packets, bytes and columns each row gives."""
        return InputShape(
            packets=self.tokens.packets,
            payload=self.tokens.payload_packets * self.tokens.payload_bytes,
            protocols=self.said.shape().columns if self.said else 0,
        )


CnnInputs = Annotated[TrafficInputs | TableInputs, Field(discriminator="kind")]


def fit_inputs(
    rows: pa.Table, masks: Sequence[str], architecture: Architecture
) -> TrafficInputs | TableInputs:
    """Tokens where the rows are flows or packets, columns where they are records of a table.

    Raises InputError if the masks leave nothing to read, or nothing that the architecture reads.
    """
    if not TrafficTokens.can_read(rows.schema):
        return TableInputs.fit(rows, masks)
    tokens = TrafficTokens.fit(
        rows.schema,
        masks,
        payload_packets=architecture.payload_packets,
        payload_bytes=architecture.payload_bytes,
    )
    inputs = TrafficInputs(tokens=tokens, said=_fit_said(rows, masks))
    _check_seen(inputs, architecture)
    return inputs


def _check_seen(inputs: TrafficInputs, architecture: Architecture) -> None:
    """Raises InputError if each sequence that is read says the same of every row."""
    payload = "payload" in inputs.tokens.seen
    packets = any(name != "payload" for name in inputs.tokens.seen)
    if (payload and architecture.payload) or (packets and architecture.packets) or inputs.said:
        return
    there, gone = ("payload", "packets") if payload else ("packets", "payload")
    raise InputError(
        f"The architecture reads {gone} alone, and of {gone} these rows have nothing or the masks "
        "hide it.",
        f"Give architecture.{there} blocks, or take fewer masks.",
    )


def _fit_said(rows: pa.Table, masks: Sequence[str]) -> TableInputs | None:
    """The columns of protocols and the derived ones that the masks leave; None without any."""
    fields = [rows.schema.field(name) for name in feature_columns(rows.schema, masks)]
    seen = [
        field.name
        for field in fields
        if group_of(field) in (*PROTOCOLS, "names") or expression_of(field)
    ]
    return TableInputs.fit(rows.select(seen), masks) if seen else None
