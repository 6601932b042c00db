"""Whether synthetic rows could be rows of the table at all: schema, then each value, then rules."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.augment.cells import CODES
from pipelines.augment.gate.chance import share_bar, unseen_share
from pipelines.augment.gate.check import Check, at_most
from pipelines.augment.gate.pair import label_array
from pipelines.augment.gate.ranges import believed_range
from pipelines.cleaning.flow_rules import flow_rules
from pipelines.cleaning.kinds import Flags
from pipelines.cleaning.rules import IMPOSSIBLE
from pipelines.cleaning.table_rules import table_rules
from pipelines.datasets.fields import LABEL, feature_columns, group_of, is_captured, text_kind
from pipelines.represent.arrays import column_array, number_matrix, text_array
from pipelines.words import counted

NAME = "validity"
AMOUNTS = ("sizes", "counts", "gaps")
# A column whose next value is new less often than this is a closed list.
CLOSED = 0.05
REASONS_TOLD = 3


class Objection(NamedTuple):
    """Flags of rows, shape (rows,), that are certainly wrong, or only unlike so few real rows."""

    reason: str
    rows: Flags
    certain: bool = True


def other_schema(real: pa.Schema, other: pa.Schema, masks: Sequence[str]) -> str | None:
    """The first column under the masks that is missing or of another type, in words; or None."""
    for name in [*feature_columns(real, masks), LABEL]:
        if name not in other.names:
            return f"the column {name} is missing"
        if other.field(name).type != real.field(name).type:
            return f"{name} is {other.field(name).type} instead of {real.field(name).type}"
    return None


def validity(real: pa.Table, synthetic: pa.Table, masks: Sequence[str]) -> Check:
    """The share of synthetic rows that could not be real; both tables have the same columns.

    Certain: no value where real rows always have one, and one where they never do; amounts below
    zero; parts of numbers that are whole; unknown classes; and what the rules of plausibility call
    impossible, but for rules that real rows break too. Less certain, the fewer the real rows:
    numbers beyond their ``believed_range`` and unseen values of a closed list of categories. What
    is certain has a bar of its own.
    """
    names = feature_columns(real.schema, masks)
    real, synthetic = real.select([*names, LABEL]), synthetic.select([*names, LABEL])
    unknown = ~np.isin(label_array(synthetic), label_array(real))
    objections = [Objection("of a class that no real row has", unknown)]
    new = unseen_share(real.num_rows)
    for name in names:
        kind = real.schema.field(name)
        if pa.types.is_fixed_size_binary(kind.type) or text_kind(kind):
            objections.append(_missing(name, real, synthetic))
        elif _is_category(real, name):
            objections.append(_missing(name, real, synthetic))
            if (chance := _chance_of_new(real, name)) <= CLOSED:
                objections.append(_unseen(name, real, synthetic))
                new += chance
        else:
            objections += _numbers(name, real, synthetic)
    objections += _rules(real, synthetic)
    flags = np.any([objection.rows for objection in objections], axis=0)
    certain = np.any([objection.rows for objection in objections if objection.certain], axis=0)
    value, bar = float(certain.mean()), share_bar(0.0, synthetic.num_rows)
    if value <= bar:
        value, bar = float(flags.mean()), share_bar(new, synthetic.num_rows)
    return at_most(NAME, value, bar, _words(objections, int(flags.sum())), flags)


def _words(objections: Sequence[Objection], rows: int) -> str:
    if not rows:
        return "every row could be a real one"
    counts = {found.reason: int(found.rows.sum()) for found in objections if found.rows.any()}
    told = sorted(counts, key=lambda reason: -counts[reason])[:REASONS_TOLD]
    why = ", ".join(f"{counts[reason]:,} {reason}" for reason in told)
    return f"{counted(rows, 'is', 'are')} invalid ({why})"


def _missing(name: str, real: pa.Table, synthetic: pa.Table) -> Objection:
    never = real[name].null_count == 0
    return Objection(f"without {name}", np.asarray(synthetic[name].is_null()) & never)


def _is_category(rows: pa.Table, name: str) -> bool:
    column = rows.schema.field(name)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(text or (pa.types.is_integer(kind) and group_of(column) == CODES))


def _texts(rows: pa.Table, name: str) -> pa.Array:
    return text_array(name, column_array(rows, name))


def _unseen(name: str, real: pa.Table, synthetic: pa.Table) -> Objection:
    made = _texts(synthetic, name)
    known = pc.is_in(made, value_set=_texts(real, name).unique())
    unseen = np.asarray(pc.and_(made.is_valid(), pc.invert(known)))
    return Objection(f"with a value of {name} that no real row has", unseen, certain=False)


def _chance_of_new(real: pa.Table, name: str) -> float:
    """How likely the next value is a new one: the share of values seen once (Good, 1953)."""
    counts = pc.value_counts(_texts(real, name).drop_null()).field("counts").to_numpy()
    return float((counts == 1).sum() / max(counts.sum(), 1))


def _numbers(name: str, real: pa.Table, synthetic: pa.Table) -> Iterator[Objection]:
    column = real.schema.field(name)
    width = column.type.list_size if pa.types.is_fixed_size_list(column.type) else None
    known = number_matrix(name, column_array(real, name), width)
    made = number_matrix(name, column_array(synthetic, name), width)
    there = ~np.isnan(known)
    lost = np.isnan(made) & there.all(axis=0)
    yield Objection(f"without {name}", lost.any(axis=1))
    more = ~np.isnan(made) & ~there.any(axis=0)
    yield Objection(f"with {name} that real rows lack", more.any(axis=1))
    whole = bool(np.all(known[there] == np.round(known[there])))
    amount = np.all(~(known < 0), axis=0) & (whole or group_of(column) in AMOUNTS)
    below = (made < 0) & amount
    yield Objection(f"with a negative {name}", below.any(axis=1))
    low, high = believed_range(known)
    # zeros and ones are flags, or shares that happen to be whole
    flags = np.all(~(known < 0) & ~(known > 1), axis=0) & whole
    high = np.where(flags, np.minimum(high, 1.0), high)
    outside = ((made < low) | (made > high)) & ~below
    yield Objection(f"beyond the range of {name}", outside.any(axis=1), certain=False)
    parts = (made != np.round(made)) & ~np.isnan(made)
    whole_amounts = whole and not flags.all()
    yield Objection(f"with parts of whole {name}", parts.any(axis=1) & np.bool_(whole_amounts))


def _rules(real: pa.Table, synthetic: pa.Table) -> Iterator[Objection]:
    """Rules are asked about complete rows only: what is missing contradicts nothing."""
    both = pa.concat_tables([real, synthetic.cast(real.schema)])
    first = real.num_rows
    for rule in flow_rules() if is_captured(real.schema) else table_rules(both):
        needs = [name for name in rule.needs if name in both.schema.names]
        if rule.score != IMPOSSIBLE or len(needs) < len(rule.needs):
            continue
        complete = np.ones(both.num_rows, bool)
        for name in needs:
            complete &= np.asarray(both[name].is_valid())
        broken = np.zeros(both.num_rows, bool)
        if complete.any():
            broken[complete] = rule.broken(both.filter(pa.array(complete)).combine_chunks())
        if broken[first:].any() and not broken[:first].any():
            yield Objection(f"because {rule.reason}", broken[first:])
