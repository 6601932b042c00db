"""What a flow is and how much of it is kept."""

from pydantic import BaseModel, ConfigDict, Field


class FlowSettings(BaseModel):
    """Time-outs of flows, and how many first packets and payload bytes a row keeps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    idle_seconds: float = Field(default=120.0, gt=0, le=1e9)
    """Silence after which a flow has ended."""
    active_seconds: float = Field(default=1800.0, gt=0, le=1e9)
    """Age at which a flow is cut and another begins."""
    first_packets: int = Field(default=16, ge=1, le=1024)
    """Packets at the head of a flow whose length, gap and flags are kept."""
    payload_packets: int = Field(default=4, ge=1, le=64)
    """Packets at the head of a flow whose payload is kept."""
    payload_bytes: int = Field(default=64, ge=1, le=4096)
    """Payload bytes that are kept of each of them."""
    decode_tunnels: bool = True
    """Whether a packet in a tunnel counts as the innermost IP packet, or as the tunnel's own."""
    protocols: bool = False
    """Whether rows tell what TLS, QUIC, HTTP, DNS, SSH and SMTP say (docs/protocols.md)."""
