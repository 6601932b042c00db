"""Two small 1-D convolutional networks: over packets and payload bytes, and over table columns."""

import torch
from torch import Tensor, nn

from pipelines.models.cnn.settings import CnnSettings
from pipelines.represent.tokens import BYTE_TOKENS, PACKET_TOKENS


class TrafficNetwork(nn.Module):  # type: ignore[misc]
    """Embeds packet tokens and payload bytes, convolves each sequence and joins them.

    Embeddings of a packet's tokens are put side by side; learnt positions are added, because the
    first packet or byte means something else than the tenth. Mean and maximum over each sequence
    make a flow's features independent of where in it a pattern is. What protocols say, ``said``
    scaled columns of it, joins them through one layer.
    """

    def __init__(
        self, settings: CnnSettings, classes: int, packets: int, payload: int, said: int = 0
    ) -> None:
        super().__init__()
        size, channels = settings.embedding, settings.channels
        packet_size = size * len(PACKET_TOKENS)
        self.token_embeddings = nn.ModuleList(nn.Embedding(n, size) for n in PACKET_TOKENS.values())
        self.byte_embedding = nn.Embedding(BYTE_TOKENS, size)
        self.packet_positions = nn.Parameter(0.02 * torch.randn(packets, packet_size))
        self.byte_positions = nn.Parameter(0.02 * torch.randn(payload, size))
        self.packet_layers = _convolutions(packet_size, channels, settings.kernel)
        self.byte_layers = _convolutions(size, channels, settings.kernel, stride=2)
        self.said_layer = nn.Linear(said, 2 * channels) if said else None
        self.head = _head((6 if said else 4) * channels, classes, settings.dropout)

    def forward(self, packets: Tensor, payload: Tensor, said: Tensor | None = None) -> Tensor:
        """Logits (rows, classes) of tokens (rows, packets, 5), bytes (rows, payload) and columns of
        protocols (rows, said) if there are any."""
        tokens = [embed(packets[..., i]) for i, embed in enumerate(self.token_embeddings)]
        packet_features = torch.cat(tokens, dim=-1) + self.packet_positions
        byte_features = self.byte_embedding(payload) + self.byte_positions
        joined = [
            *_pooled(self.packet_layers, packet_features),
            *_pooled(self.byte_layers, byte_features),
        ]
        if self.said_layer is not None:
            joined.append(torch.relu(self.said_layer(said)))
        logits: Tensor = self.head(torch.cat(joined, dim=1))
        return logits


class TableNetwork(nn.Module):  # type: ignore[misc]
    """Convolves over the columns of a table row, each scaled value times its column's vector."""

    def __init__(self, settings: CnnSettings, classes: int, features: int) -> None:
        super().__init__()
        self.scales = nn.Parameter(torch.randn(features, settings.embedding))
        self.shifts = nn.Parameter(0.02 * torch.randn(features, settings.embedding))
        self.layers = _convolutions(settings.embedding, settings.channels, settings.kernel)
        self.head = _head(2 * settings.channels, classes, settings.dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (rows, classes) of scaled features (rows, features)."""
        embedded = features[..., None] * self.scales + self.shifts
        logits: Tensor = self.head(torch.cat(_pooled(self.layers, embedded), dim=1))
        return logits


def _convolutions(inputs: int, channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, channels, kernel, stride, padding=kernel // 2),
        nn.ReLU(inplace=True),
        nn.Conv1d(channels, channels, kernel, padding=kernel // 2),
        nn.ReLU(inplace=True),
    )


def _pooled(layers: nn.Sequential, sequence: Tensor) -> list[Tensor]:
    """Maximum and mean over a sequence (rows, length, features) after its convolutions."""
    convolved = layers(sequence.transpose(1, 2))
    return [convolved.amax(dim=2), convolved.mean(dim=2)]


def _head(features: int, classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(features, 128),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(128, classes),
    )
