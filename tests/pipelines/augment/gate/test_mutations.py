"""Faults planted one by one in rows that are clean without them: each moves its own check.

``may`` names the checks that a fault may move too, with the reason; all others must stay passed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.gate import GateReport, judge

ROWS = 240
SEED = 5


@pytest.fixture(scope="module")
def clean(world) -> dict[str, pa.Table]:
    return {"real": world(ROWS, 1), "synthetic": world(ROWS, 2), "holdout": world(ROWS, 3)}


def judged(clean, synthetic: pa.Table) -> GateReport:
    return judge(
        clean["real"], synthetic, masks=("addresses",), seed=SEED, holdout=clean["holdout"]
    )


def failed(report: GateReport) -> set[str]:
    return {check.name for check in report.checks if check.passed is False}


def test_fresh_rows_of_the_same_world_pass_every_check(clean) -> None:
    report = judged(clean, clean["synthetic"])
    assert failed(report) == set()
    assert all(check.passed for check in report.checks), "and every check can be judged"
    assert np.mean(report.kept) > 0.85


def some(share: float) -> np.ndarray:
    return np.random.default_rng(SEED).random(ROWS) < share


def within_classes(rows: pa.Table, change: Callable[[pa.Table, np.random.Generator], pa.Table]):
    random = np.random.default_rng(SEED)
    labels = np.array(rows["label"].to_pylist())
    return pa.concat_tables(
        [change(rows.filter(pa.array(labels == name)), random) for name in np.unique(labels)]
    )


def nulls(clean, put) -> pa.Table:
    return put(clean["synthetic"], "tone", some(0.1), None)


def out_of_range(clean, put) -> pa.Table:
    return put(clean["synthetic"], "sent", some(0.08), -5)


def unseen_category(clean, put) -> pa.Table:
    return put(clean["synthetic"], "kind", some(0.08), "gre")


def copied(clean, put) -> pa.Table:
    kept = clean["synthetic"].slice(ROWS // 3)
    return pa.concat_tables([clean["real"].slice(0, ROWS // 3), kept])


def repeated(clean, put) -> pa.Table:
    return pa.concat_tables([clean["synthetic"].slice(0, ROWS // 2)] * 2)


def nearly_copied(clean, put) -> pa.Table:
    rows = clean["real"].slice(0, ROWS // 2)
    for name in ("drift", "tone", "depth", "lasts"):
        values = rows[name].to_numpy()
        noise = 0.02 * values.std() * np.random.default_rng(SEED).normal(size=len(values))
        rows = put(
            rows, name, slice(None), values * (1 + noise * values.std() / abs(values).mean())
        )
    return pa.concat_tables([rows, clean["synthetic"].slice(ROWS // 2)])


def shifted(clean, put) -> pa.Table:
    values = clean["synthetic"]["depth"].to_numpy()
    return put(clean["synthetic"], "depth", slice(None), values + 0.9)


def shuffled(clean, put) -> pa.Table:
    def change(rows: pa.Table, random: np.random.Generator) -> pa.Table:
        columns = {"label": rows["label"]}
        for name in rows.column_names[1:]:
            columns[name] = rows[name].take(pa.array(random.permutation(rows.num_rows)))
        return pa.table(columns, schema=rows.schema)

    return within_classes(clean["synthetic"], change)


def flipped(clean, put) -> pa.Table:
    turn = {"benign": "scan", "scan": "worm", "worm": "benign"}
    places = some(0.25)
    labels = np.array(clean["synthetic"]["label"].to_pylist(), object)
    return put(clean["synthetic"], "label", places, [turn[name] for name in labels[places]])


def collapsed(clean, put) -> pa.Table:
    """Every class is four of its rows, again and again with a little noise."""

    def change(rows: pa.Table, random: np.random.Generator) -> pa.Table:
        rows = rows.take(pa.array(np.resize(np.arange(4), rows.num_rows)))
        for name in ("drift", "tone", "depth"):
            noise = 0.1 * random.normal(size=rows.num_rows)
            rows = put(rows, name, slice(None), rows[name].to_numpy() + noise)
        return rows

    return within_classes(clean["synthetic"], change)


def leaked(clean, put) -> pa.Table:
    addresses = clean["real"]["src_ip"].to_pylist()
    return put(clean["synthetic"], "state", [3, 50, 77], addresses[:3])


def unlike_anything(clean, put) -> pa.Table:
    """Rows of one class far off the others in what no class of them does."""
    rows = clean["synthetic"]
    for name in ("drift", "depth"):
        values = rows[name].to_numpy()
        rows = put(rows, name, slice(None), values * 2.2 - values.mean() * 1.2)
    return rows


@dataclass(frozen=True)
class Fault:
    plant: Callable[..., pa.Table]
    moves: set[str]
    may: set[str] = field(default_factory=set)


LABELS = {"label_noise", "train_on_synthetic", "test_on_synthetic"}
PLACE = {"two_sample", "marginals", "alpha_precision"}
FAULTS = [
    Fault(nulls, {"validity"}),
    # a value that no real row has is far off, for all that look at its column
    Fault(out_of_range, {"validity"}, {*PLACE, "label_noise"}),
    Fault(unseen_category, {"validity"}, PLACE),
    # copies of seen rows cling to them, and betray that they were seen
    Fault(copied, {"copies", "authenticity", "membership"}),
    # half of the rows are no sample of twice as many, and their twins are in all folds
    Fault(repeated, {"repeats"}, {"marginals", "correlations", "two_sample", "near_copies"}),
    Fault(nearly_copied, {"near_copies"}, {"authenticity", "membership"}),
    # all that depends on where the column lies
    Fault(shifted, {"marginals", "two_sample"}, {"alpha_precision", "beta_recall", *LABELS}),
    # relations are what points, forests and labels go by
    Fault(shuffled, {"correlations", "two_sample"}, {"alpha_precision", "beta_recall", *LABELS}),
    # a class with rows of another has other columns, and teaches and tests wrongly
    Fault(flipped, {"label_noise", "test_on_synthetic"}, {"marginals", "correlations", *LABELS}),
    # four rows a class: their few values, their relations, and nearly repeated in all folds
    Fault(collapsed, {"beta_recall", "marginals"},
          {"alpha_precision", "two_sample", "correlations", "train_on_synthetic"}),
    # the address is a category that real rows do not have
    Fault(leaked, {"identifiers"}, {"validity"}),
    # two columns twice as wide: points lie farther out
    Fault(unlike_anything, PLACE, {"validity", "beta_recall", *LABELS}),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.plant.__name__)
def test_a_fault_moves_its_own_check_and_no_unrelated_one(fault, clean, put) -> None:
    found = failed(judged(clean, fault.plant(clean, put)))
    assert fault.moves <= found, "its own check sees it"
    assert found <= fault.moves | fault.may, "no unrelated check does"
