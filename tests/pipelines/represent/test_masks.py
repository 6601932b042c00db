"""No value of a masked column reaches a model: every group, on rows as captures give them."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, flow_schema
from pipelines.datasets.fields import BEHAVIOUR, DEFAULT_MASKS, group_of
from pipelines.represent.features import FeatureEncoder
from pipelines.represent.tokens import TrafficTokens

SETTINGS = FlowSettings(first_packets=3, payload_packets=2, payload_bytes=4, protocols=True)
SCHEMA = flow_schema(SETTINGS)
ROWS = 20
GROUPS = (*DEFAULT_MASKS, *BEHAVIOUR)
MASKS = [(), DEFAULT_MASKS, BEHAVIOUR, *((group,) for group in GROUPS)]


def random_column(kind: pa.DataType, rng: np.random.Generator) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        values = rng.integers(0, 100, ROWS * kind.list_size)
        return pa.FixedSizeListArray.from_arrays(pa.array(values, kind.value_type), type=kind)
    if pa.types.is_fixed_size_binary(kind):
        return pa.array([rng.bytes(kind.byte_width) for _ in range(ROWS)], kind)
    if pa.types.is_string(kind):
        return pa.array([f"{number} x{number // 10}" for number in rng.integers(0, 100, ROWS)])
    if pa.types.is_boolean(kind):
        return pa.array(rng.integers(0, 2, ROWS).astype(bool))
    return pa.array(rng.integers(0, 100, ROWS), kind)


def random_rows(seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.Table.from_arrays(
        [random_column(column.type, rng) for column in SCHEMA], schema=SCHEMA
    )


def with_other_values(rows: pa.Table, groups: tuple[str, ...]) -> pa.Table:
    """The rows with new random values in all columns of ``groups``."""
    other = random_rows(1)
    for place, column in enumerate(rows.schema):
        if group_of(column) in groups:
            rows = rows.set_column(place, column, other[column.name])
    return rows


def test_the_schema_has_a_column_of_every_group() -> None:
    assert {group_of(column) for column in SCHEMA} == {*GROUPS, "split"}


@pytest.mark.parametrize("masks", MASKS, ids="+".join)
def test_features(masks: tuple[str, ...]) -> None:
    rows = random_rows(0)
    changed = with_other_values(rows, (*masks, "split"))
    encoder, again = FeatureEncoder.fit(rows, masks), FeatureEncoder.fit(changed, masks)
    assert encoder == again
    assert (encoder.transform(rows) == encoder.transform(changed)).all()
    assert {column.column for column in encoder.columns} == {
        column.name for column in SCHEMA if group_of(column) not in (*masks, "split")
    }


@pytest.mark.parametrize("masks", [masks for masks in MASKS if masks != BEHAVIOUR], ids="+".join)
def test_tokens(masks: tuple[str, ...]) -> None:
    rows = random_rows(0)
    changed = with_other_values(rows, (*masks, *DEFAULT_MASKS, "split", "counts"))
    tokens = TrafficTokens.fit(SCHEMA, masks, payload_packets=2, payload_bytes=4)
    assert (tokens.transform_packets(rows) == tokens.transform_packets(changed)).all()
    assert (tokens.transform_payload(rows) == tokens.transform_payload(changed)).all()


@pytest.mark.parametrize("group", GROUPS)
def test_what_is_not_masked_is_seen(group: str) -> None:
    """Else the tests above could not fail."""
    rows = random_rows(0)
    changed = with_other_values(rows, (group,))
    encoder = FeatureEncoder.fit(rows, ())
    assert (encoder.transform(rows) != encoder.transform(changed)).any()
    tokens = TrafficTokens.fit(SCHEMA, (), payload_packets=2, payload_bytes=4)
    differs = (tokens.transform_packets(rows) != tokens.transform_packets(changed)).any()
    differs |= (tokens.transform_payload(rows) != tokens.transform_payload(changed)).any()
    assert differs == (group in {"sizes", "gaps", "flags", "protocol", "payload"})
