"""What the network reads: tokens of captures, or scaled columns of tables."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from pipelines.datasets.fields import PROTOCOLS, feature_columns, group_of
from pipelines.models.cnn.network import TableNetwork, TrafficNetwork
from pipelines.models.cnn.settings import CnnSettings
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

    def network(self, settings: CnnSettings, classes: int) -> nn.Module:
        """A new network for these inputs."""
        return TableNetwork(settings, classes, len(self.scaler.mean))


class TrafficInputs(BaseModel):
    """Packet tokens (rows, packets, 5) and payload bytes (rows, bytes) of flows or packets.

    Where rows tell what their protocols say, these columns are read as well: ``said``.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["traffic"] = "traffic"
    tokens: TrafficTokens
    said: TableInputs | None = None

    def arrays(self, rows: pa.Table) -> list[np.ndarray]:
        """What the network reads of ``rows``."""
        said = self.said.arrays(rows) if self.said else []
        return [self.tokens.transform_packets(rows), self.tokens.transform_payload(rows), *said]

    def network(self, settings: CnnSettings, classes: int) -> nn.Module:
        """A new network for these inputs."""
        payload = self.tokens.payload_packets * self.tokens.payload_bytes
        said = len(self.said.scaler.mean) if self.said else 0
        return TrafficNetwork(settings, classes, self.tokens.packets, payload, said)


CnnInputs = Annotated[TrafficInputs | TableInputs, Field(discriminator="kind")]


def fit_inputs(
    rows: pa.Table, masks: Sequence[str], settings: CnnSettings
) -> TrafficInputs | TableInputs:
    """Tokens where the rows are flows or packets, columns where they are records of a table.

    Raises InputError if the masks leave nothing to read.
    """
    if not TrafficTokens.can_read(rows.schema):
        return TableInputs.fit(rows, masks)
    tokens = TrafficTokens.fit(
        rows.schema,
        masks,
        payload_packets=settings.payload_packets,
        payload_bytes=settings.payload_bytes,
    )
    return TrafficInputs(tokens=tokens, said=_fit_said(rows, masks))


def _fit_said(rows: pa.Table, masks: Sequence[str]) -> TableInputs | None:
    """The columns of protocols that the masks leave; None without any."""
    seen = [
        name
        for name in feature_columns(rows.schema, masks)
        if group_of(rows.schema.field(name)) in (*PROTOCOLS, "names")
    ]
    return TableInputs.fit(rows.select(seen), masks) if seen else None
