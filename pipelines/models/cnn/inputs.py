"""What the network reads: tokens of captures, or scaled columns of tables."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from pipelines.models.cnn.network import TableNetwork, TrafficNetwork
from pipelines.models.cnn.settings import CnnSettings
from pipelines.represent.features import FeatureEncoder
from pipelines.represent.scaling import Scaler
from pipelines.represent.tokens import TrafficTokens


class TrafficInputs(BaseModel):
    """Packet tokens (rows, packets, 5) and payload bytes (rows, bytes) of flows or packets."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["traffic"] = "traffic"
    tokens: TrafficTokens

    def arrays(self, rows: pa.Table) -> list[np.ndarray]:
        """What the network reads of ``rows``."""
        return [self.tokens.transform_packets(rows), self.tokens.transform_payload(rows)]

    def network(self, settings: CnnSettings, classes: int) -> nn.Module:
        """A new network for these inputs."""
        payload = self.tokens.payload_packets * self.tokens.payload_bytes
        return TrafficNetwork(settings, classes, self.tokens.packets, payload)


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
    return TrafficInputs(tokens=tokens)
