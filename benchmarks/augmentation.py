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

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "shared"))

from openai_double import openai_double  # noqa: E402
from rows_double import KINDS, RowsDouble  # noqa: E402

NETLOOP = Path(sys.executable).with_name("netloop")
DATA = Path(os.environ.get("NETLOOP_DATA", ROOT.parent / "shared" / "data"))
# Their values, and a column's name, get names that the wall lets through: doubles know no others.
TEXTS = ("protocol_type", "service", "flag")

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
                    for outcome in findings["outcomes"]:
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
            print(f"{model}, {kind}: the filter recovers {recovered(perfect, worse, most)}")
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
    perfect: dict[Treatment, list[float]], worse: dict[Treatment, list[float]], most: float
) -> str:
    """The share of what wrong labels cost that the filter gives back, by means of all halvings.

    Its interval of 95 % resamples halvings.
    """
    plain, screened = np.array(worse["llm", False, most]), np.array(worse["llm", True, most])
    lost, back = np.array(perfect["llm", False, most]) - plain, screened - plain
    sampled = np.random.default_rng(0).integers(len(lost), size=(10_000, len(lost)))
    shares = back[sampled].mean(axis=1) / lost[sampled].mean(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return (
        f"{back.mean() / lost.mean():.0%} [{low:.0%}, {high:.0%}] "
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
    return json.loads(done.stdout)


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
