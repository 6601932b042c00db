"""Does the study of synthetic rows find the truth? Doubles on loopback whose truth is known.

    python benchmarks/augmentation.py [--draws 20] [--models cnn random_forest] [--repeat 1]
        [--first 0] [--keep FOLDER]

One half of NSL-KDD is a spec's source; the other is held back. A model behind a real HTTP server
writes rows: held-back real ones (a perfect generator), the same with a fifth and with two fifths of
the labels of another class, columns drawn each by itself, copies of its examples. ``netloop
augment`` meets each of them with the same settings: 10 rows of each class, amounts of 1, 4 and 8,
duplicates beside them, accuracy on validation rows. Prints what it recommends, what a row is worth
(1 is the truth for the perfect one), the gate's words, how much of what wrong labels cost the
filter recovers, and how often a recommendation was wrong: to use what does not gain over all
repetitions together, or to make none of perfect rows. Every repetition has a halving of its own.

The filter of wrong labels works alone, and after a look at twenty rows of each draw (``netloop runs
look``): by somebody who knows the truth, and by somebody who slips in one of ten. Nobody looks in a
study: its draws are made again here, by a double that writes the same rows, and must come to the
same accuracy where nobody looked.

Studies that lie in the folder ``--keep``, made with the same options, are read instead of made:
machines can share the work.

What a study costs in calls and tokens, whatever model learns from the rows (knn is quick):

    python benchmarks/augmentation.py --doubles perfect --models knn --arms llm llm_evolved \\
        --amounts 1 2 4 8
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agents.trail import Trail
from pipelines.augment.arms import arm_of
from pipelines.augment.asking import RowsAsked
from pipelines.augment.gate.look import recommend_votes, rows_to_look_at
from pipelines.augment.judged import Judged
from pipelines.augment.names import DOUBTS, ROUNDS
from pipelines.augment.screen import doubts, trusted
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.splits import draw_rows
from pipelines.models.base import labels_of, predict
from pipelines.models.fitting import fit_rows
from pipelines.progress import silent
from pipelines.store.run import RunFolder
from tools.sides import sides_to_choose_by
from tools.spec import ToolContext

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "shared"))

from openai_double import openai_double  # noqa: E402
from rows_double import KINDS, Row, RowsDouble  # noqa: E402

NETLOOP = Path(sys.executable).with_name("netloop")
DATA = Path(os.environ.get("NETLOOP_DATA", ROOT.parent / "shared" / "data"))
# Their values, and a column's name, get names that the wall lets through: doubles know no others.
TEXTS = ("protocol_type", "service", "flag")

REAL = 10  # rows of each class in a draw
SLIPS = {"knows": 0.0, "slips in one of ten": 0.1}

Treatment = tuple[str, bool, float]
# Gains by model and kind of double, then by treatment, one a repetition.
Findings = dict[tuple[str, str], dict[Treatment, list[float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--models", nargs="+", default=["cnn", "random_forest"])
    parser.add_argument("--doubles", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--arms", nargs="+", default=["duplicates", "llm"])
    parser.add_argument("--amounts", nargs="+", type=float, default=[1, 4, 8])
    parser.add_argument("--repeat", type=int, default=1, help="studies of each double")
    parser.add_argument("--first", type=int, default=0, help="seed of the first halving")
    parser.add_argument("--keep", type=Path, help="a folder for the studies, as JSON")
    options = parser.parse_args()
    found: Findings = defaultdict(lambda: defaultdict(list))
    verdicts: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for repeat in range(options.first, options.first + options.repeat):
        with tempfile.TemporaryDirectory() as folder:
            held_back = two_halves(Path(folder) / "half.csv", seed=repeat)
            for kind in options.doubles:
                double = RowsDouble(kind, held_back, seed=repeat)
                study = kept(Path(folder), double, options, seed=repeat)
                print(f"\n{kind}, halving {repeat}. The gate: ")
                print("\n".join(f"  {name}: {arm['gate']}" for name, arm in study["arms"].items()))
                for model, findings in study["models"].items():
                    told(model, findings)
                    verdicts[model].append((kind, findings["verdict"]))
                    for outcome in [*findings["outcomes"], *study.get("looks", {}).get(model, [])]:
                        found[model, kind][treatment(outcome)].append(outcome["gain"])
    print()
    for model in options.models:
        summary(model, found, verdicts[model], max(options.amounts))


def summary(model: str, found: Findings, verdicts: list[tuple[str, Any]], most: float) -> None:
    """What the filter recovers and how many verdicts are wrong, by means of all repetitions."""
    means = {
        kind: {one: mean(gains) for one, gains in found[model, kind].items()}
        for kind, _ in verdicts
    }
    for kind in ("flipped 20 %", "flipped 40 %"):
        if {kind, "perfect"} <= means.keys():
            perfect, worse = found[model, "perfect"], found[model, kind]
            for arm in ("llm", *map(look_by, SLIPS)):
                if (arm, True, most) in worse:
                    shares = recovered(perfect, worse, (arm, True, most))
                    print(f"{model}, {kind}, {arm}, filtered: {shares}")
    wrong = [
        kind
        for kind, verdict in verdicts
        if (verdict["kind"] == "use" and means[kind][treatment(verdict)] <= 0)
        or (verdict["kind"] == "none" and kind == "perfect")
    ]
    named = f": {', '.join(wrong)}" if wrong else ""
    used = sum(verdict["kind"] == "use" for _, verdict in verdicts)
    print(f"{model}: {len(verdicts)} verdicts, {used} to use rows, {len(wrong)} wrong{named}")


def recovered(
    perfect: dict[Treatment, list[float]],
    worse: dict[Treatment, list[float]],
    screened: Treatment,
) -> str:
    """The share of what wrong labels cost that a filter gives back, by means of all halvings.

    Its interval of 95 % resamples halvings.
    """
    plain = "llm", False, screened[2]
    lost = np.array(perfect[plain]) - np.array(worse[plain])
    back = np.array(worse[screened]) - np.array(worse[plain])
    sampled = np.random.default_rng(0).integers(len(lost), size=(10_000, len(lost)))
    shares = back[sampled].mean(axis=1) / lost[sampled].mean(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return (
        f"recovers {back.mean() / lost.mean():.1%} [{low:.0%}, {high:.0%}] "
        f"of {100 * lost.mean():.1f} points ({len(lost)} halvings)"
    )


def treatment(found: Any) -> Treatment:
    return found["arm"], found["screened"], found["amount"]


def two_halves(path: Path, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Write one half of the records as a table; the other, by class."""
    with (DATA / "nsl_kdd" / "Field_Names.csv").open(newline="") as file:
        names = [row[0] for row in csv.reader(file) if row]
    with gzip.open(DATA / "nsl_kdd" / "KDDTrain+_20Percent.txt.gz", "rt", newline="") as file:
        lines = [*csv.reader(file)]
    records = [dict(zip(names, line, strict=False)) for line in lines]
    kinds = [line[len(names)] for line in lines]
    for record, kind in zip(records, kinds, strict=True):
        record["class"] = "normal" if kind == "normal" else "attack"
        record["same_address"] = record.pop("land")
    names[names.index("land")] = "same_address"
    for name in TEXTS:
        numbers = {text: n for n, text in enumerate(sorted({record[name] for record in records}))}
        for record in records:
            record[name] = f"{name}_{numbers[record[name]]}"
    Random(seed).shuffle(records)
    middle = len(records) // 2
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*names, "class"])
        writer.writeheader()
        writer.writerows(records[:middle])
    held_back: dict[str, list[dict[str, Any]]] = {"normal": [], "attack": []}
    for record in records[middle:]:
        held_back[record["class"]].append({name: cell(record[name]) for name in names})
    return held_back


def cell(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def kept(folder: Path, double: RowsDouble, options: argparse.Namespace, seed: int) -> Any:
    """The study of this double and halving: from the folder of kept ones, or made and kept."""
    if options.keep is None:
        return studied(folder, double, options, seed)
    path = options.keep / f"{double.kind} {seed}.json".replace(" %", "").replace(" ", "-")
    if not path.exists():
        study = studied(folder, double, options, seed)
        options.keep.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(study))
    return json.loads(path.read_text())


def studied(folder: Path, double: RowsDouble, options: argparse.Namespace, seed: int) -> Any:
    """What ``netloop augment`` finds with this model behind it."""
    spec = {
        "goal": "Tell attacks from normal connections with 20 labelled rows",
        "data": {
            "source": str(folder / "half.csv"),
            "label": "class",
            "split": {"by": "row", "test": 0.2},
        },
        "requirements": {"metric": "accuracy", "benign": ["normal"]},
        "augmentation": {
            "arms": options.arms,
            "amounts": options.amounts,
            "models": options.models,
            "draws": options.draws,
            "per_class": REAL,
            "screened": True,
        },
        "llm_sees": "raw",
        "budget": {"llm_calls": 100_000, "tokens": 10**9},
        "seed": seed,
    }
    path = folder / "spec.yaml"
    path.write_text(json.dumps(spec))
    with openai_double(double) as server:
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_API_KEY": "none",
            "NETLOOP_MODEL": "double",
        }
        command = [NETLOOP, "augment", path, "--json", "--workspace", folder / "workspace"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    print(f"\n{double.kind}: {double.cost()}")
    study = json.loads(done.stdout)
    study["looks"] = {}
    authors = [arm for arm in options.arms if arm in ROUNDS]
    if double.kind.startswith("flipped") and authors == ["llm"]:  # no other one asks the double
        again = RowsDouble(double.kind, double.held_back, seed)
        study["looks"] = looked_at(folder / "workspace", study, again, options, seed)
    return study


def look_by(whom: str) -> str:
    return f"llm, after a look by one who {whom}"


def looked_at(
    workspace: Path, study: Any, double: RowsDouble, options: argparse.Namespace, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Of each model: what a look at the most rows of each draw of ``llm`` gains.

    Ends the program if the rows as they are, or filtered, do not score as in the study.
    """
    run = RunFolder.open(workspace, study["run"])
    inputs = Trail(run).artifacts
    train, judges, _ = sides_to_choose_by(ToolContext(store=run.store, inputs=inputs, seed=seed))
    write = arm_of("llm", DEFAULT_MASKS, Writes(double), silent, frame=train)
    truth, most = np.array(labels_of(judges), object), max(options.amounts)
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number, draw in enumerate(draw_rows(train, REAL, options.draws, seed)):
        real, own = train.take(pa.array(draw)), seed + number
        wanted = dict.fromkeys(sorted(double.held_back), round(most * REAL))
        made = write(real, wanted, own).rows.cast(real.schema)
        right = right_labels(made, train, double)
        slips = np.random.default_rng([seed, number, len(made)])
        for arm, kept in ways_to_filter(real, made, right, own, slips).items():
            rows = pa.concat_tables([real, made.filter(pa.array(kept))])
            for model in options.models:
                guesses = predict(fit_rows(model, rows, DEFAULT_MASKS, own), judges)
                scores[model, arm].append(float((truth == guesses).mean()))
    found: dict[str, list[dict[str, Any]]] = {}
    for model in options.models:
        findings = study["models"][model]
        known = {treatment(one): one["score"]["mean"] for one in findings["outcomes"]}
        for arm, screened in (("as made", False), ("filtered", True)):
            if not np.isclose(mean(scores[model, arm]), known["llm", screened, most]):
                sys.exit(f"The rows {arm} are not those of the study.")
        alone = findings["alone"]["mean"]
        found[model] = [
            {"arm": arm, "screened": True, "amount": most, "gain": mean(scores[model, arm]) - alone}
            for arm in map(look_by, SLIPS)
        ]
    return found


class Writes:
    """The double asked without a line between."""

    def __init__(self, double: RowsDouble) -> None:
        self.double = double

    def write(self, asked: RowsAsked) -> list[list[Any]]:
        names = [column.name for column in asked.columns]
        return self.double.rows(asked.label, names, asked.examples, asked.count)


def right_labels(made: pa.Table, known: pa.Table, double: RowsDouble) -> np.ndarray:
    """Whether each row is a held-back one of the class that it bears, shape (made,).

    No number of a made row is beyond those that are ``known``.
    """
    names = list(next(iter(double.held_back.values()))[0])
    ends = {name: pc.min_max(known[name]).as_py() for name in names if name not in TEXTS}

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(
            min(max(row[name], ends[name]["min"]), ends[name]["max"]) if name in ends else row[name]
            for name in names
        )

    held_back = {label: {key(row) for row in rows} for label, rows in double.held_back.items()}
    return np.array([key(row) in held_back[row["label"]] for row in made.to_pylist()])


def ways_to_filter(
    real: pa.Table, made: pa.Table, right: np.ndarray, seed: int, slips: np.random.Generator
) -> dict[str, np.ndarray]:
    """Which rows stay: all, those that models do not doubt, and what each look leaves.

    ``right``: whether the label of each made row is. No two rows are equal: an author's copies are
    refused. The filter before a look is that of a study.
    """
    found = doubts(real, made, seed, masks=DEFAULT_MASKS)
    assert found is not None
    shown = rows_to_look_at(found, seed)
    rows = np.array(shown.rows)
    kept = {"as made": np.ones(made.num_rows, bool), "filtered": found.against < DOUBTS}
    for whom, share in SLIPS.items():
        said = (right[rows] ^ (slips.random(len(rows)) < share)).tolist()
        votes = recommend_votes(found.against, shown, said, DOUBTS).votes
        judged = Judged.of(made.take(pa.array(rows)), said)
        kept[look_by(whom)] = trusted(
            real, made, seed, masks=DEFAULT_MASKS, votes=votes, judged=judged
        )
    return kept


def told(model: str, findings: Any) -> None:
    """Print what a study found for a model."""
    print(f"  {model}: {findings['alone']['mean']:.3f} alone. {findings['verdict']['words']}")
    for outcome in findings["outcomes"]:
        low, high = (100 * end for end in outcome["ci"])
        rate = outcome["rate"]
        worth = (
            f"worth {rate['rate']:.2f} [{rate['ci'][0]:.2f}, {rate['ci'][1]:.2f}]" if rate else ""
        )
        print(
            f"    {outcome['arm']}{', screened' if outcome['screened'] else ''} "
            f"{outcome['amount']:g}:1 ({outcome['rows']:.0f} rows) {100 * outcome['gain']:+.1f} "
            f"[{low:+.1f}, {high:+.1f}] {worth}",
            flush=True,
        )


if __name__ == "__main__":
    main()
