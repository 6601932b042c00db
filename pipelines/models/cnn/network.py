"""1-D convolutional networks by specification: over packets and payload, and over table columns."""

import torch
from torch import Tensor, nn

from pipelines.models.cnn.architecture import Architecture
from pipelines.models.cnn.cost import InputShape, sequences
from pipelines.models.cnn.layers import WholeSequence, convolutions, head
from pipelines.represent.tokens import BYTE_TOKENS, PACKET_TOKENS


def build_network(architecture: Architecture, shape: InputShape, classes: int) -> nn.Module:
    """A new network for rows of that shape, with random weights. Check the limits before."""
    kind = TableNetwork if shape.columns else TrafficNetwork
    return kind(architecture, shape, classes)


class TrafficNetwork(nn.Module):  # type: ignore[misc]
    """Embeds packet tokens and payload bytes, convolves each sequence and joins them.

    Embeddings of a packet's tokens are put side by side; learnt positions are added, because the
    first packet or byte means something else than the tenth. Pooling over each sequence makes a
    flow's features independent of where in it a pattern is. What protocols say, scaled columns of
    it, joins them through one layer.
    """

    def __init__(self, architecture: Architecture, shape: InputShape, classes: int) -> None:
        super().__init__()
        size, pooling = architecture.embedding, architecture.pooling
        read = sequences(architecture, shape)
        packets, payload = read.get("packets", []), read.get("payload", [])
        # In an order that may not change: it decides which random numbers each part is given.
        self.token_embeddings = _token_embeddings(size) if packets else None
        self.byte_embedding = nn.Embedding(BYTE_TOKENS, size) if payload else None
        packet_size = size * len(PACKET_TOKENS)
        self.packet_positions = _positions(shape.packets, packet_size) if packets else None
        self.byte_positions = _positions(shape.payload, size) if payload else None
        self.packet_layers, self.byte_layers = convolutions(packets), convolutions(payload)
        self.packet_pooling = WholeSequence(pooling, packets)
        self.byte_pooling = WholeSequence(pooling, payload)
        said = shape.protocols
        self.said_layer = nn.Linear(said, architecture.protocols) if said else None
        pooled = self.packet_pooling.made + self.byte_pooling.made
        self.head = head(pooled + (architecture.protocols if said else 0), classes, architecture)

    def forward(self, packets: Tensor, payload: Tensor, said: Tensor | None = None) -> Tensor:
        """Logits (rows, classes) of tokens (rows, packets, 5), bytes (rows, payload) and columns of
        protocols (rows, said) if there are any."""
        joined = []
        if self.token_embeddings is not None:
            tokens = [embed(packets[..., i]) for i, embed in enumerate(self.token_embeddings)]
            packet_features = torch.cat(tokens, dim=-1) + self.packet_positions
            convolved = self.packet_layers(packet_features.transpose(1, 2))
            joined.append(self.packet_pooling(convolved))
        if self.byte_embedding is not None:
            byte_features = self.byte_embedding(payload) + self.byte_positions
            convolved = self.byte_layers(byte_features.transpose(1, 2))
            joined.append(self.byte_pooling(convolved))
        if self.said_layer is not None:
            joined.append(torch.relu(self.said_layer(said)))
        logits: Tensor = self.head(torch.cat(joined, dim=1))
        return logits


class TableNetwork(nn.Module):  # type: ignore[misc]
    """Convolves over the columns of a table row, each scaled value times its column's vector."""

    def __init__(self, architecture: Architecture, shape: InputShape, classes: int) -> None:
        super().__init__()
        size, blocks = architecture.embedding, sequences(architecture, shape)["columns"]
        self.scales = nn.Parameter(torch.randn(shape.columns, size))
        self.shifts = _positions(shape.columns, size)
        self.layers = convolutions(blocks)
        self.pooling = WholeSequence(architecture.pooling, blocks)
        self.head = head(self.pooling.made, classes, architecture)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (rows, classes) of scaled features (rows, features)."""
        embedded = features[..., None] * self.scales + self.shifts
        logits: Tensor = self.head(self.pooling(self.layers(embedded.transpose(1, 2))))
        return logits


def _token_embeddings(size: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Embedding(count, size) for count in PACKET_TOKENS.values())


def _positions(length: int, size: int) -> nn.Parameter:
    return nn.Parameter(0.02 * torch.randn(length, size))
