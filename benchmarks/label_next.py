"""Which rows to label next: rows that `netloop data next` chooses against rows drawn at random.

    python benchmarks/label_next.py DATA/nsl_kdd --label class --draws 20

From ten labelled rows a class, so many more are labelled, chosen in one batch or by lot, from one
half of the rows; models are tested on the other half. Prints accuracies, paired differences on the
same draws, and intervals that hold for all of them at once.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.augment.label_next import rows_to_label
from pipelines.augment.paired import paired_differences
from pipelines.datasets.fields import DEFAULT_MASKS, SPLIT, field
from pipelines.datasets.sources import load_source
from pipelines.datasets.splits import draw_rows, make_split
from pipelines.models.base import labels_of, predict
from pipelines.models.fitting import fit_rows

ROW = "its row"
WAYS = ("chosen", "at random")


def main() -> None:
    """Label, fit, test, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--label", default=None)
    parser.add_argument("--per-class", type=int, default=10)
    parser.add_argument("--more", type=int, nargs="+", default=[20, 40, 80])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--models", nargs="+", default=["random_forest", "logistic_regression"])
    options = parser.parse_args()
    rows = load_source(options.source, options.label).rows
    split = make_split(rows, "row", 0.5, 0.0)
    pool, test = (rows.take(split.rows_on(side)) for side in ("train", "test"))
    draws = draw_rows(pool, options.per_class, options.draws)
    scores = np.array(
        [
            accuracies(pool, draw, test, options.more, options.models, seed)
            for seed, draw in enumerate(draws)
        ]
    )
    print(f"{pool.num_rows:,} rows to choose from, {test.num_rows:,} to test on")
    report(scores, options.models, options.more)


def accuracies(
    pool: pa.Table,
    draw: np.ndarray,
    test: pa.Table,
    more: Sequence[int],
    models: Sequence[str],
    seed: int,
) -> np.ndarray:
    """Of shape (models, 1 + amounts, ways); the first amount is no row more."""
    lot = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(pool.num_rows), draw))
    none = np.zeros(0, np.int64)
    picks = [[none, none]] + [[chosen(pool, draw, count, seed), lot[:count]] for count in more]
    truth = np.array(labels_of(test), object)
    found = np.empty((len(models), len(picks), len(WAYS)))
    for m, model in enumerate(models):
        for a, by_way in enumerate(picks):
            for w, picked in enumerate(by_way):
                learned = pool.take(pa.array(np.concatenate([draw, picked])))
                fitted = fit_rows(model, learned, DEFAULT_MASKS, seed)
                found[m, a, w] = np.mean(predict(fitted, test) == truth)
    return found


def chosen(pool: pa.Table, draw: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Which ``count`` rows to label next, in one batch, if those of a draw are labelled."""
    numbered = pool.append_column(field(ROW, pa.int64(), SPLIT), pa.array(range(pool.num_rows)))
    labelled = pool.take(pa.array(draw))
    asked = rows_to_label(labelled, [numbered], count, masks=DEFAULT_MASKS, seed=seed)
    return asked.rows[ROW].to_numpy()


def report(scores: np.ndarray, models: Sequence[str], more: Sequence[int]) -> None:
    """A line for each model and amount; ``scores``: (draws, models, 1 + amounts, ways)."""
    gains = (scores[:, :, 1:, 0] - scores[:, :, 1:, 1]).reshape(len(scores), -1)
    found = paired_differences(gains, 0)
    ends = zip(found.mean, found.low, found.high, strict=True)
    print("| model | rows more | chosen | worst | at random | worst | difference (points) |")
    print("|---|---|---|---|---|---|---|")
    for m, model in enumerate(models):
        start = scores[:, m, 0, 0]
        print(f"| {model} | 0 | {start.mean():.3f} | {start.min():.3f} | | | |")
        for a, count in enumerate(more, 1):
            ways = scores[:, m, a]
            cells = " | ".join(f"{ways[:, w].mean():.3f} | {ways[:, w].min():.3f}" for w in (0, 1))
            gain, low, high = (100 * value for value in next(ends))
            print(f"| {model} | {count} | {cells} | {gain:+.1f} [{low:+.1f}, {high:+.1f}] |")


if __name__ == "__main__":
    main()
