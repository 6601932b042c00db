"""Traffic as text that a language model reads: compact, reversible, masked, within a budget."""

from pipelines.represent.traffic_text.budget import Budget, within
from pipelines.represent.traffic_text.row_text import PacketText, RowText, parse_text
from pipelines.represent.traffic_text.rows import row_texts

__all__ = ["Budget", "PacketText", "RowText", "parse_text", "row_texts", "within"]
