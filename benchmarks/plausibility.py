"""Which outlier score ranks planted faults best: the one that netloop uses, or its rivals.

    python benchmarks/plausibility.py DATA/nsl_kdd --label attack

Spoils 2 % of up to 8,000 rows in one of three ways (a value times a hundred, five values drawn
from other rows, two values swapped) and prints for every score the area under the ROC curve and
the average precision. Rules are left out: they know such faults only where columns depend.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from pipelines.cleaning.outliers import FEWEST_ROWS, modified_z, scales
from pipelines.datasets.keys import text_codes
from pipelines.datasets.sources import load_source

MOST_ROWS = 8_000
SPOILT = 0.02
FAULTS = ("times 100", "five from others", "two swapped")


def main() -> None:
    """Spoil, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--label", default=None)
    options = parser.parse_args()
    rows = load_source(options.source, options.label).rows
    drawn = np.random.default_rng(0).permutation(rows.num_rows)[:MOST_ROWS]
    rows = rows.take(pa.array(np.sort(drawn)))
    values = scales(rows)[1]
    labels = text_codes(rows, "label")[1]
    for fault in FAULTS:
        spoilt, faulty = plant(np.sign(values) * np.expm1(np.abs(values)), fault)
        logs = np.sign(spoilt) * np.log1p(np.abs(spoilt))
        for name, score in scores(logs, labels).items():
            area, precision = roc_auc_score(faulty, score), average_precision_score(faulty, score)
            print(f"{fault:18} {name:28} ROC {area:.3f}  average precision {precision:.3f}")


def plant(values: np.ndarray, fault: str) -> tuple[np.ndarray, np.ndarray]:
    """The values, shape (rows, columns), with faults, and which rows have one."""
    rng = np.random.default_rng(1)
    faulty = rng.permutation(len(values)) < SPOILT * len(values)
    spoilt = values.copy()
    for row in np.flatnonzero(faulty):
        filled = np.flatnonzero(spoilt[row])
        if fault == "times 100" and len(filled):
            spoilt[row, rng.choice(filled)] *= 100
        elif fault == "two swapped" and len(filled) > 1:
            one, other = rng.choice(filled, 2, replace=False)
            spoilt[row, [one, other]] = spoilt[row, [other, one]]
        else:
            columns = rng.choice(values.shape[1], min(5, values.shape[1]), replace=False)
            spoilt[row, columns] = values[rng.integers(0, len(values), len(columns)), columns]
    return spoilt, faulty


def scores(values: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Every score of every row; a class of few rows has none."""
    names = ("MAD, farthest column", "MAD, mean of the three", "isolation forest a class")
    found = {name: np.zeros(len(values)) for name in names}
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        if len(mine) < FEWEST_ROWS:
            continue
        away = modified_z(values[mine])
        found[names[0]][mine] = away.max(axis=1)
        found[names[1]][mine] = np.sort(away, axis=1)[:, -3:].mean(axis=1)
        forest = IsolationForest(n_estimators=50, random_state=0).fit(values[mine])
        found[names[2]][mine] = -forest.score_samples(values[mine])
    forest = IsolationForest(n_estimators=100, random_state=0).fit(values)
    return {**found, "isolation forest of all": -forest.score_samples(values)}


if __name__ == "__main__":
    main()
