"""What it costs to choose a generator from the labelled rows alone, where the truth is known.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/chooser.py $NETLOOP_DATA > draws.jsonl
    python benchmarks/chooser.py $NETLOOP_DATA --pools nsl_kdd iot23 --draws 5
    python benchmarks/chooser.py --read draws.jsonl

A draw of 100 or 20 rows of a pool, as classes come (two of each at least), is all that ``choose``
sees. The truth of an arm is its gain on up to 3,000 other rows of the pool. Regret is what the best
would have gained more than what was chosen; the best in hindsight is that of the very draw, luck
included, and the best on average is the same for all draws of a pool; adding nothing is one of the
arms. Beside the choice, the largest mean of folds, stand two others: never add rows, and the
largest mean only if it is above half its corrected standard error.

Prints a line a draw, and a table when all are done. Forests have 10 trees.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import t as student

from pipelines.augment.arms import arm_of
from pipelines.augment.choose import findings_of, tried
from pipelines.augment.names import PLAIN
from pipelines.augment.trial import ALONE, Study, Treatment, scores_of, trial_of
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.keys import text_codes
from pipelines.datasets.sources import load_source
from pipelines.models.baselines import ladder
from pipelines.progress import silent

MODEL, TREES, AMOUNT = "random_forest", 10, 2.0
POOLS = {  # and their label columns; each has two classes, or gets them
    "nsl_kdd": "class",
    "unsw_nb15": None,
    "cicids2017_sample": None,
    "cicddos2019_sample": None,
    "kdd99_10pct": None,
    "iot23": None,
}
BENIGN = "BENIGN"  # all other classes of the pool that has it are attacks
SIZES = (100, 20)
TEST_ROWS = 3000
# Standard errors that an interval of six arms reaches, in two cuts into five folds.
REACH = float(student.ppf(1 - 0.025 / len(PLAIN), 2 * 5 - 1))
STUDY = Study(
    arms={name: arm_of(name, DEFAULT_MASKS, None, silent) for name in PLAIN},
    models=[MODEL],
    masks=DEFAULT_MASKS,
    amounts=(AMOUNT,),
)


def main() -> None:
    """Measure, or read what was measured; a table either way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--pools", nargs="+", default=list(POOLS), choices=POOLS)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the number of the first draw")
    parser.add_argument("--read", type=Path, nargs="+", default=[])
    options = parser.parse_args()
    ladder.TREES = TREES
    found = [json.loads(line) for path in options.read for line in path.read_text().splitlines()]
    if options.data:
        pools = {
            pool: of_two_classes(load_source(options.data / pool, POOLS[pool]).rows)
            for pool in options.pools
        }
        for seed, size, pool in product(
            range(options.first, options.first + options.draws), SIZES, pools
        ):
            found.append(record(pool, pools[pool], size, seed))
            print(json.dumps(found[-1]), flush=True)
    print(table(found), file=sys.stderr)


def record(pool: str, rows: pa.Table, size: int, seed: int) -> dict[str, Any]:
    """Of a draw: the choice, the means of folds, and the true gains of all arms."""
    drawn, rest = sample(rows, size, seed)
    found = findings_of(MODEL, tried(STUDY, drawn, seed=seed, progress=silent))
    scores = scores_of(trial_of(STUDY, drawn, None, rest, seed)).models[MODEL]
    return {
        "pool": pool,
        "rows": size,
        "draw": seed,
        "score": scores[ALONE],
        "folds": {outcome.arm: outcome.gain for outcome in found.outcomes},
        "reach": {outcome.arm: outcome.gain - outcome.ci[0] for outcome in found.outcomes},
        "true": {arm: scores[Treatment(arm, AMOUNT)] - scores[ALONE] for arm in PLAIN},
    }


def of_two_classes(rows: pa.Table) -> pa.Table:
    """The rows, all classes but BENIGN in one where there is one of that name."""
    labels = rows.column("label")
    benign = pc.equal(labels, BENIGN)
    if not pc.any(benign).as_py():
        return rows
    place = rows.schema.get_field_index("label")
    both = pc.if_else(benign, BENIGN, "attack")
    return rows.set_column(place, rows.schema.field("label"), both)


def sample(rows: pa.Table, size: int, seed: int) -> tuple[pa.Table, pa.Table]:
    """Labelled rows, two of each class at least, and others to tell the truth by."""
    classes, labels = text_codes(rows, "label")
    order = np.random.default_rng(seed).permutation(rows.num_rows)
    by_class = [order[labels[order] == number] for number in range(len(classes))]
    pairs = np.concatenate([members[:2] for members in by_class])
    others = order[~np.isin(order, pairs)]
    cut = size - len(pairs)
    drawn = np.concatenate([pairs, others[:cut]])
    return rows.take(pa.array(drawn)), rows.take(pa.array(others[cut : cut + TEST_ROWS]))


def table(found: list[dict[str, Any]]) -> str:
    """Regrets, declines and errors of each rule, a pool and size a line, and all pools together."""
    groups: dict[tuple[int, str], list[dict[str, float]]] = defaultdict(list)
    for size in SIZES:
        for pool in POOLS:
            lines = [line for line in found if (line["pool"], line["rows"]) == (pool, size)]
            for figures in regrets(lines) if lines else ():
                groups[size, pool].append(figures)
                groups[size, "all"].append(figures)
    heads = [*next(iter(groups.values()))[0]]
    rows = [["rows", "pool", *heads]]
    for (size, pool), figures in sorted(groups.items(), key=lambda item: (-item[0][0], item[0][1])):
        means = [np.mean([one[head] for one in figures]) for head in heads]
        rows.append([str(size), pool, *(f"{100 * mean:.2f}" for mean in means)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def regrets(lines: list[dict[str, Any]]) -> Iterator[dict[str, float]]:
    """The figures of each draw of a pool, all shares of one: points once times a hundred."""
    true = [{"none": 0.0, **line["true"]} for line in lines]
    average = {arm: np.mean([gains[arm] for gains in true]) for arm in ("none", *PLAIN)}
    steady = max(average, key=lambda arm: float(average[arm]))
    for line, gains in zip(lines, true, strict=True):
        folds = {"none": 0.0, **line["folds"]}
        likeliest = max(folds, key=lambda arm: float(folds[arm]))
        error = line["reach"].get(likeliest, 0.0) / REACH
        rules = {
            "choose": likeliest,
            "never": "none",
            "half an error": likeliest if folds[likeliest] > 0.5 * error else "none",
        }
        figures = {"score": line["score"]}
        for rule, arm in rules.items():
            figures[f"{rule}: regret of the draw"] = max(gains.values()) - gains[arm]
            figures[f"{rule}: regret on average"] = gains[steady] - gains[arm]
            figures[f"{rule}: declined %"] = float(arm == "none")
            figures[f"{rule}: errs %"] = float(gains[arm] < 0)
        yield figures


if __name__ == "__main__":
    main()
