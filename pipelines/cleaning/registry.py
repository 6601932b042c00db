"""Filters by name. A new filter is one new Kind and one line here."""

from typing import Any

from pipelines.cleaning.background import BACKGROUND_PROTOCOLS
from pipelines.cleaning.captures import BROKEN_CAPTURES
from pipelines.cleaning.classes import CLASS_IMBALANCE, SMALL_CLASSES
from pipelines.cleaning.duplicates import EXACT_DUPLICATES, LABEL_CONFLICTS, NEAR_DUPLICATES
from pipelines.cleaning.kinds import Kind
from pipelines.cleaning.label_errors import LABEL_ERRORS
from pipelines.cleaning.plausibility import IMPLAUSIBLE_ROWS
from pipelines.cleaning.recent import OLD_ROWS
from pipelines.cleaning.short_flows import (
    FEW_PACKETS,
    OTHER_PROTOCOLS,
    TCP_WITHOUT_HANDSHAKE,
    TCP_WITHOUT_PAYLOAD,
)

KINDS: dict[str, Kind[Any]] = {
    kind.name: kind
    for kind in (
        SMALL_CLASSES,
        EXACT_DUPLICATES,
        NEAR_DUPLICATES,
        LABEL_CONFLICTS,
        BROKEN_CAPTURES,
        IMPLAUSIBLE_ROWS,
        BACKGROUND_PROTOCOLS,
        OTHER_PROTOCOLS,
        FEW_PACKETS,
        TCP_WITHOUT_PAYLOAD,
        TCP_WITHOUT_HANDSHAKE,
        CLASS_IMBALANCE,
        LABEL_ERRORS,
        OLD_ROWS,
    )
}
