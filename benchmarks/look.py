"""What does a person's look at twenty made rows add to the filter of wrong labels?

    python benchmarks/look.py [--halvings 5] [--first 0] [--draws 20] [--wrong 0.2]

One half of NSL-KDD is studied, the other held back by an author of rows, who gives a share of them
the label of the other class. A draw is 10 + 10 real rows and 160 made ones. A CNN learns from the
real rows and from the made ones as they are, with all labels right, filtered as ``augment_rows``
does by default, and filtered by what somebody said of the twenty rows that ``netloop runs look``
shows: somebody who knows the truth, and somebody who slips in one of ten. Prints how much of what
wrong labels cost each recovers, in accuracy on rows of the studied half. Its interval of 95 %
resamples draws within halvings.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.augment.gate.look import recommend_votes, rows_to_look_at
from pipelines.augment.judged import Judged
from pipelines.augment.names import DOUBTS
from pipelines.augment.screen import doubts, trusted
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.sources import load_source
from pipelines.models.base import labels_of, predict
from pipelines.models.fitting import fit_rows

DATA = Path(os.environ.get("NETLOOP_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
REAL, MADE, JUDGES = 10, 80, 2500  # rows of each class, rows of each class, rows
SLIPS = 0.1
WAYS = ("perfect", "as made", "filtered", "looked at", "looked at, with slips", "only right rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--halvings", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="seed of the first halving")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--wrong", type=float, default=0.2)
    options = parser.parse_args()
    rows = two_classes(load_source(DATA / "nsl_kdd").rows)
    labels = np.array(labels_of(rows), object)
    found = {way: np.zeros((options.halvings, options.draws)) for way in WAYS}
    for halving in range(options.halvings):
        random = np.random.default_rng(options.first + halving)
        studied, held_back = np.array_split(random.permutation(len(labels)), 2)
        for draw in range(options.draws):
            scores = one_draw(rows, labels, studied, held_back, options.wrong, random)
            for way, score in scores.items():
                found[way][halving, draw] = score
        print(
            f"halving {options.first + halving}: {told(found, slice(halving, halving + 1))}",
            flush=True,
        )
    print(f"all: {told(found, slice(None))}")
    for way in WAYS[2:]:
        print(f"{way}: recovers {recovered(found, way)}")


def two_classes(rows: pa.Table) -> pa.Table:
    """The records, named as normal or attack."""
    names = ["normal" if name == "normal" else "attack" for name in labels_of(rows)]
    place = rows.schema.get_field_index("label")
    return rows.set_column(place, rows.schema.field("label"), pa.array(names))


def one_draw(
    rows: pa.Table,
    labels: np.ndarray,
    studied: np.ndarray,
    held_back: np.ndarray,
    wrong: float,
    random: np.random.Generator,
) -> dict[str, float]:
    """Accuracy of a CNN by what it learned from."""
    seed = int(random.integers(1 << 31))
    names = sorted(set(labels))
    order = random.permutation(studied)
    real = np.concatenate([order[labels[order] == name][:REAL] for name in names])
    judges = rows.take(np.setdiff1d(order, real)[:JUDGES])
    claimed = np.repeat(names, MADE).astype(object)
    flips = random.random(len(claimed)) < wrong
    other = np.array([names[1 - names.index(name)] for name in claimed], object)
    made = np.array(
        [
            random.choice(held_back[labels[held_back] == name])
            for name in np.where(flips, other, claimed)
        ]
    )
    honest = np.array([random.choice(held_back[labels[held_back] == name]) for name in claimed])
    real_rows, perfect = rows.take(real), rows.take(honest)
    made_rows = relabelled(rows.take(made), claimed)

    def score(taken: pa.Table) -> float:
        model = fit_rows("cnn", pa.concat_tables([real_rows, taken]), DEFAULT_MASKS, seed)
        return float((np.array(labels_of(judges), object) == predict(model, judges)).mean())

    against = doubts(real_rows, made_rows, seed, masks=DEFAULT_MASKS)
    filtered = against < DOUBTS
    truth = ~flips
    slipped = truth ^ (random.random(len(truth)) < SLIPS)
    shown = rows_to_look_at(against, seed)

    def looked_at(right: np.ndarray) -> np.ndarray:
        advice = recommend_votes(against, shown, right[shown].tolist(), DOUBTS)
        judged = Judged.of(made_rows.take(pa.array(shown)), right[shown].tolist())
        return trusted(
            real_rows, made_rows, seed, masks=DEFAULT_MASKS, votes=advice.votes, judged=judged
        )

    kept = (filtered, looked_at(truth), looked_at(slipped), truth)
    ways = [made_rows.filter(pa.array(fine)) for fine in kept]
    return {way: score(taken) for way, taken in zip(WAYS, (perfect, made_rows, *ways), strict=True)}


def relabelled(rows: pa.Table, names: np.ndarray) -> pa.Table:
    place = rows.schema.get_field_index("label")
    return rows.set_column(place, rows.schema.field("label"), pa.array(names.tolist()))


def told(found: dict[str, np.ndarray], halvings: slice) -> str:
    """Mean accuracies."""
    return ", ".join(f"{way} {scores[halvings].mean():.4f}" for way, scores in found.items())


def recovered(found: dict[str, np.ndarray], way: str) -> str:
    """The share of what wrong labels cost that comes back, with its interval."""
    random = np.random.default_rng(0)
    back, lost = found[way] - found["as made"], found["perfect"] - found["as made"]
    halvings, draws = lost.shape
    picked = random.integers(draws, size=(10_000, halvings, draws))
    each = np.arange(halvings)[:, None]
    shares = back[each, picked].mean(axis=(1, 2)) / lost[each, picked].mean(axis=(1, 2))
    low, high = np.quantile(shares, [0.025, 0.975])
    return (
        f"{back.mean() / lost.mean():.0%} [{low:.0%}, {high:.0%}] of {100 * lost.mean():.1f} points"
    )


if __name__ == "__main__":
    main()
