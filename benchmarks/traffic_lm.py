"""The traffic language model beside the ladder, the CNN and its controls, on one split.

    python benchmarks/traffic_lm.py $NETLOOP_DATA/ustc_tfc2016/sessions --label file
    python benchmarks/traffic_lm.py $NETLOOP_DATA/malware_captures/pcap --label folder --by capture
    python benchmarks/traffic_lm.py $NETLOOP_DATA/ndpi/pcap --label flows.csv --least 20 \\
        --confirmed $NETLOOP_DATA/ndpi/flows.csv

Split, masks and seed are those of a run (``make_split``, half to test, a fifth of the rest to
choose by). Every model is fitted on train, scored on validation and fitted again on both; then the
test side is read once. Prints a line a model as soon as it is fitted: macro-F1 on the test side
with its interval over split groups, accuracy, macro-F1 on validation, minutes of fitting, rows a
second.
``--models`` chooses; language models may carry settings: ``traffic_lm:method=lora``.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch

from pipelines.capture import FlowSettings
from pipelines.datasets.description import ColumnMap
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.group_names import group_names
from pipelines.datasets.sources import load_source
from pipelines.datasets.splits import make_split
from pipelines.evaluate.evaluate import evaluate_models
from pipelines.models.fitting import FittedModel, fit_and_score
from pipelines.progress import silent

MODELS = (
    "majority",
    "lookup",
    "knn",
    "logistic_regression",
    "random_forest",
    "hist_gradient_boosting",
    "cnn",
    "traffic_lm_frozen",
    "traffic_lm_random",
    "traffic_lm:method=lora",
    "traffic_lm:method=prefix",
    "traffic_lm:method=full",
)
VALIDATION = 0.2


def load_rows(arguments: argparse.Namespace) -> pa.Table:
    """Rows of classes with ``--least`` rows, and two captures where whole ones are split."""
    columns = ColumnMap(where={"confidence": "DPI*"}) if arguments.confirmed else ColumnMap()
    label = str(arguments.confirmed or arguments.label)
    rows = load_source(
        arguments.source, label, "flow", FlowSettings(), columns=columns, least_classes=1
    ).rows
    counts = Counter(rows["label"].to_pylist())
    classes = {name for name, count in counts.items() if count >= arguments.least}
    if arguments.by == "capture":
        pairs = set(zip(rows["label"].to_pylist(), rows["capture"].to_pylist(), strict=True))
        captures = Counter(label for label, _ in pairs)
        classes = {name for name in classes if captures[name] > 1}
    return rows.filter(pc.is_in(rows["label"], pa.array(sorted(classes), pa.string())))


def fitted(name: str, sides: dict[str, pa.Table], epochs: int | None, base: str) -> FittedModel:
    """A model, given as ``name`` or ``name:setting=value,...``."""
    model, _, words = name.partition(":")
    settings: dict[str, Any] = dict(word.split("=") for word in words.split(",") if word)
    if model.startswith("traffic_lm"):
        settings = {"base": base, "task": "EAC"} | settings
        if epochs is not None:
            settings["epochs"] = epochs
    return fit_and_score(
        model,
        sides["train"],
        sides["validation"],
        masks=DEFAULT_MASKS,
        seed=0,
        settings=settings,
        progress=silent,
    )


def main() -> None:
    """Load, split, fit and test; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--label", default="file")
    parser.add_argument("--confirmed", type=Path, help="nDPI's flows.csv: only flows it is sure of")
    parser.add_argument("--by", default="time")
    parser.add_argument("--least", type=int, default=2, help="rows that a class must have")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--base", default="traffic-nano")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    rows = load_rows(arguments)
    split = make_split(rows, arguments.by, 0.5, validation=VALIDATION, seed=0)
    names = ("train", "validation", "test")
    sides = {side: rows.take(split.rows_on(side)) for side in names}
    classes = len(set(rows["label"].to_pylist()))
    sizes = ", ".join(f"{sides[side].num_rows:,} {side}" for side in names)
    print(f"{classes} classes; rows: {sizes}; {arguments.threads} threads\n")
    print("| model | macro-F1 | interval | accuracy | on validation | epochs | minutes | rows/s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    test = sides["test"]
    groups = list(group_names(test, split.document.group)[1])
    captures = test["capture"].to_pylist() if arguments.by == "capture" else None
    for name in arguments.models:
        started = time.perf_counter()
        model = fitted(name, sides, arguments.epochs, arguments.base)
        minutes = (time.perf_counter() - started) / 60
        found = evaluate_models(
            {name: model.classifier},
            test,
            test["label"].to_pylist(),
            groups,
            validation_scores={name: model.validation_macro_f1},
            seed=0,
            progress=silent,
            captures=captures,
        )
        score = found.models[name]
        right = f"; captures right {score.captures.right:.2f}" if score.captures else ""
        print(
            f"| {name}{right} | {score.macro_f1:.3f} | {score.ci[0]:.3f} to {score.ci[1]:.3f} | "
            f"{score.accuracy:.3f} | {model.validation_macro_f1:.3f} | {len(model.curve)} | "
            f"{minutes:.1f} | {found.rows_per_second[name]:,.0f} |"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
