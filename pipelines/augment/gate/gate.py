"""The gate: every check of synthetic rows, which rows it lets through, and why, in a sentence."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipelines.augment.gate.check import Check, at_most
from pipelines.augment.gate.copies import copies, near_copies, repeats
from pipelines.augment.gate.correlations import correlations
from pipelines.augment.gate.fidelity import authenticity, precision_and_recall
from pipelines.augment.gate.identifiers import identifiers
from pipelines.augment.gate.label_noise import ballot, label_noise
from pipelines.augment.gate.marginals import marginals
from pipelines.augment.gate.membership import membership
from pipelines.augment.gate.pair import Pair
from pipelines.augment.gate.two_sample import two_sample
from pipelines.augment.gate.usefulness import usefulness
from pipelines.augment.gate.validity import NAME, other_schema, validity
from pipelines.augment.names import Votes
from pipelines.errors import InputError
from pipelines.models.base import labels_of
from pipelines.words import counted

FAULTS_TOLD = 3


class GateReport(BaseModel):
    """All checks. ``kept`` says of every synthetic row whether it stays."""

    checks: list[Check]
    kept: list[bool]
    verdict: str

    def check(self, name: str) -> Check:
        """The check of this name. Raises KeyError if it was not made."""
        return {check.name: check for check in self.checks}[name]


def judge(
    real: pa.Table,
    synthetic: pa.Table,
    *,
    masks: Sequence[str],
    seed: int,
    holdout: pa.Table | None = None,
    known: pa.Table | None = None,
    votes: Votes = 2,
) -> GateReport:
    """Compare synthetic rows with the labelled real rows they were made from.

    ``holdout``: real rows that the generator never saw. ``known``: all rows at hand, the real
    ones among them, that say what a row can be; the real ones alone if left out. ``votes``: how
    many of three models must contradict a label (1 filters hardest). Only columns that the
    masks leave and the label are compared; masked columns are read for identifiers. Every row
    is asked whether it is valid, a copy, wrongly labelled, or holds an identifier, and, where
    there are too many such rows, whether it repeats another or nearly copies a real one; it is
    kept if nothing is found. All else, and the real rows that neighbours and models come from,
    is a sample chosen by the seed of at most pair.MOST_ROWS rows a side. Rows of another schema
    fail at once, and nothing else is checked. Raises InputError without synthetic or real rows,
    for real rows without a label, and for a holdout of another schema.
    """
    for rows, what in ((real, "real"), (synthetic, "synthetic")):
        if not rows.num_rows:
            raise InputError(f"There are no {what} rows to judge by.", "Give at least one.")
    labels_of(real)  # raises where one is missing
    if holdout is not None and (other := other_schema(real.schema, holdout.schema, masks)):
        raise InputError(
            f"The holdout is unlike the real rows: {other}.", "Give one with the same columns."
        )
    if other := other_schema(real.schema, synthetic.schema, masks):
        failed = at_most(NAME, 1.0, 0.0, other, np.ones(synthetic.num_rows, bool))
        return _report([failed], synthetic.num_rows)
    pair = Pair.of(real, synthetic, masks, seed)
    checks = [
        validity(real if known is None else known, synthetic, masks),
        copies(pair),
        repeats(pair),
        near_copies(pair),
        label_noise(pair, ballot(pair), votes),
        identifiers(real, synthetic, masks),
        marginals(pair),
        correlations(pair),
        *precision_and_recall(pair),
        authenticity(pair),
        two_sample(pair),
        *usefulness(pair),
        membership(real, synthetic, holdout, masks, seed),
    ]
    return _report(checks, synthetic.num_rows)


def _report(checks: list[Check], rows: int) -> GateReport:
    kept = np.ones(rows, bool)
    for check in checks:
        kept[check.rows] = False
    return GateReport(checks=checks, kept=kept.tolist(), verdict=_verdict(checks, rows))


def _verdict(checks: Sequence[Check], rows: int) -> str:
    """First what single rows are accused of, then what is wrong with all of them."""
    accused = [check.words for check in checks if check.rows]
    faults = [check.words for check in checks if check.passed is False and not check.rows]
    if len(faults) > FAULTS_TOLD:
        more = counted(len(faults) - FAULTS_TOLD, "more check fails", "more checks fail")
        faults = [*faults[:FAULTS_TOLD], more]
    told = "; ".join(part for part in (", ".join(accused), "; ".join(faults)) if part)
    return f"{counted(rows, 'row')}: {told or 'nothing speaks against them'}."
