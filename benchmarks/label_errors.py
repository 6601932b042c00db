"""How many planted label errors are found: labels of NSL-KDD flipped at random, then ranked.

    python benchmarks/label_errors.py DATA/nsl_kdd --label category --seeds 3

Prints, a seed, precision and recall of what the filter would move, the largest recall at a
precision of one half, and points of the whole curve. A row that was mislabelled before anyone
planted anything counts as wrongly found. With --share 0 all that is found is wrong.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.cleaning.label_errors import MODELS, find_label_errors
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.keys import numbers, text_codes
from pipelines.datasets.sources import load_source

RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def main() -> None:
    """Plant, find, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--label", default=None)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--rows", type=int, default=None, help="only so many, drawn at random")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", default=",".join(MODELS))
    options = parser.parse_args()
    rows = load_source(options.source, options.label).rows
    if options.rows:
        drawn = np.random.default_rng(0).permutation(rows.num_rows)[: options.rows]
        rows = rows.take(pa.array(np.sort(drawn)))
    for seed in range(options.seeds):
        print(json.dumps(measure(rows, options.share, options.models.split(","), seed)))


def measure(rows: pa.Table, share: float, models: list[str], seed: int) -> dict[str, object]:
    """The figures of one draw of errors."""
    start = time.perf_counter()
    spoilt, planted = plant(rows, share, seed)
    found = find_label_errors(
        spoilt, numbers(rows, "flow"), DEFAULT_MASKS, models=models, seed=seed
    )
    right = planted[found.ranking()].cumsum()
    precision = right / np.arange(1, len(right) + 1)
    recall = right / max(int(planted.sum()), 1)
    taken = found.instead != text_codes(spoilt, "label")[1]
    return {
        "seed": seed,
        "rows": rows.num_rows,
        "planted": int(planted.sum()),
        "confident": figures(found.confident, planted, found.confidence),
        "taken_for_another": figures(taken, planted, found.confidence),
        "recall_at_half_precision": round(float(recall[precision >= 0.5].max(initial=0)), 3),
        "precision_at_recall": {
            str(least): round(float(precision[recall >= least].max(initial=0)), 3)
            for least in RECALLS
        },
        "seconds": round(time.perf_counter() - start),
    }


def plant(rows: pa.Table, share: float, seed: int) -> tuple[pa.Table, np.ndarray]:
    """Rows of which a share has another class, drawn evenly, and which these are."""
    rng = np.random.default_rng(seed)
    classes, labels = text_codes(rows, "label")
    planted = np.zeros(len(labels), bool)
    planted[rng.permutation(len(labels))[: round(share * len(labels))]] = True
    other = (labels + rng.integers(1, len(classes), len(labels))) % len(classes)
    spoilt = pa.array(classes).take(pa.array(np.where(planted, other, labels)))
    place = rows.schema.get_field_index("label")
    return rows.set_column(place, rows.schema.field("label"), spoilt), planted


def figures(flags: np.ndarray, planted: np.ndarray, confidence: np.ndarray) -> dict[str, float]:
    """Rows flagged, their precision, the precision that the filter would tell, their recall."""
    hits = int((flags & planted).sum())
    return {
        "rows": int(flags.sum()),
        "precision": round(hits / max(int(flags.sum()), 1), 3),
        "estimated": round(float(1 - confidence[flags].mean()), 3) if flags.any() else 0.0,
        "recall": round(hits / max(int(planted.sum()), 1), 3),
    }


if __name__ == "__main__":
    main()
