"""A split that the user made: one source to train on and another to test on."""

import numpy as np
import pyarrow as pa

from pipelines.datasets.fields import is_captured
from pipelines.datasets.groups import group_rows, named, shuffled
from pipelines.datasets.keys import Codes, matrix, mix, numbers, text_hash
from pipelines.datasets.split_manifest import Split
from pipelines.datasets.splits import (
    TEST,
    TRAIN,
    VALIDATION_SHARE,
    check_shares,
    finish,
    with_validation,
)
from pipelines.errors import InputError
from pipelines.words import counted

# What tells the first packet of a flow from every other, beside its addresses.
FIRST_PACKET = ("first_seen_ns", "protocol", "src_port", "dst_port", "ip_id", "tcp_seq")


def fixed_split(
    train_rows: pa.Table,
    test_rows: pa.Table,
    validation: float = VALIDATION_SHARE,
    seed: int = 0,
) -> tuple[pa.Table, Split]:
    """Join a source and a separate test source: all of the one trains, all of the other tests.

    Returns the joined rows and their split. Rows of the source that the test source holds too are
    left out (the same table record; the same first packet at the same moment, in whichever
    capture), and the split's warnings count them. Flows of the test source become groups of their
    own: an equal 5-tuple in another capture is another flow.

    Raises InputError if the sources differ in their columns or if nothing is left to train on.
    """
    check_shares(0.5, validation)
    test_rows = like_schema(test_rows, train_rows.schema)
    repeated = np.isin(observation(train_rows), observation(test_rows))
    left_out = int(repeated.sum())
    kept = train_rows.filter(pa.array(~repeated))
    if not kept.num_rows or not test_rows.num_rows:
        raise InputError(
            "Nothing is left to train or to test on: every row of the source is also in the test "
            "source, or one of them is empty.",
            "Give a test source that holds other traffic.",
        )
    if is_captured(test_rows.schema):
        test_rows = with_new_flows(test_rows)
    rows = pa.concat_tables([kept, test_rows])
    grouping = group_rows(rows, "flow")
    side = np.full(len(grouping.names), TRAIN, np.int8)
    side[grouping.of_row[kept.num_rows :]] = TEST
    order = shuffled(len(grouping.names), seed)
    side = with_validation(side, order, grouping.members, validation)
    warnings = [
        f"{counted(left_out, 'row of the source is', 'rows of the source are')} in the test source "
        "too: not trained on."
    ]
    return rows, finish(
        rows,
        grouping,
        side[grouping.of_row],
        "fixed",
        None,
        validation,
        seed,
        warnings if left_out else (),
    )


def observation(rows: pa.Table) -> Codes:
    """What two sources may share: the values of a record, or a first packet and its moment.

    Not ``flow``, which depends on the capture's name: a copy under another name is found too.
    """
    if not is_captured(rows.schema):
        return numbers(rows, "flow").astype(np.int64)
    seen = np.zeros(rows.num_rows, np.uint64)
    for name in FIRST_PACKET:
        seen = mix(seen ^ mix(numbers(rows, name).astype(np.uint64) + text_hash(name)))
    for name in ("src_ip", "dst_ip"):
        for half in matrix(rows, name).view(np.uint64).T:
            seen = mix(seen ^ mix(half))
    return seen.astype(np.int64)


def with_new_flows(rows: pa.Table) -> pa.Table:
    """The same rows whose ``flow`` cannot equal a flow of another source."""
    flow = mix(numbers(rows, "flow").astype(np.uint64) ^ text_hash("test source"))
    position = rows.schema.get_field_index("flow")
    return rows.set_column(position, rows.schema.field("flow"), pa.array(flow.astype(np.int64)))


def like_schema(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """``rows`` with the columns of ``schema``. Raises InputError if they are others."""
    missing = [name for name in schema.names if name not in rows.schema.names]
    extra = [name for name in rows.schema.names if name not in schema.names]
    if missing or extra:
        raise InputError(
            "The test source has other columns than the source"
            + (f"; missing: {named(missing)}" if missing else "")
            + (f"; only there: {named(extra)}" if extra else "")
            + ".",
            "Give a test source in the same layout, read with the same settings.",
        )
    try:
        return rows.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"The test source holds other kinds of values than the source: {error}.",
            "A column that is numeric in one must be numeric in the other.",
        ) from error
