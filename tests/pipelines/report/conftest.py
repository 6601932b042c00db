"""A report as a real run makes it, at any number of classes."""

import math
from collections.abc import Callable
from functools import cache
from statistics import fmean, stdev

import pytest

from pipelines.augment.exchange import Rate
from pipelines.augment.findings import ArmFindings, Exploration, ModelFindings
from pipelines.augment.made_rows import MadeRows
from pipelines.augment.names import REAL
from pipelines.augment.verdict import Outcome, Verdict
from pipelines.evaluate.few_labels import Spread
from pipelines.report import data as d
from pipelines.report.page import render_page

NAMES = [
    *("BitTorrent", "Cridex", "FTP", "Facetime", "Geodo", "Gmail", "Htbot", "Miuref", "MySQL"),
    *("Neris", "Nsis-ay", "Outlook", "SMB", "Shifu", "Skype", "Tinba", "Virut", "Weibo"),
    *("WorldOfWarcraft", "Zeus"),
]

Make = Callable[[int], d.ReportData]
PageOf = Callable[[int], str]


@pytest.fixture(scope="session")
def make() -> Make:
    """``make(classes)``: a full report with that many classes."""
    return report


@pytest.fixture(scope="session")
def page() -> PageOf:
    """``page(classes)``: the HTML of that report, whose pictures take long to draw, drawn once."""
    return cache(lambda classes: render_page(report(classes)))


@pytest.fixture
def lean() -> d.ReportData:
    """A report of three classes with few pictures: neither matrix, nor curves, nor draws."""
    without = {"confusion": None, "per_class": [], "curves": None, "few_labels": None}
    without |= {"features": None, "explored": None}
    return report(3).model_copy(update=without)


FEATURES = d.FeatureStudy(
    model="random_forest",
    level=0.983,
    without=0.901,
    with_kept=0.921,
    outcomes=[
        d.FeatureTried(
            expression="ratio(src2dst_bytes, dst2src_bytes)", verdict="kept",
            reason="Validation gains by it.", difference=0.02, ci=(0.011, 0.029),
        ),
        d.FeatureTried(
            expression="abs(src2dst_bytes)", verdict="copy", reason="It equals src2dst_bytes.",
            difference=None, ci=None,
        ),
    ],
)  # fmt: skip


def report(classes: int) -> d.ReportData:
    names = [name if i < 20 else f"{name}-2" for i, name in enumerate((NAMES * 2)[:classes])]
    confusion = counts(classes)
    rows = [
        d.ClassRows(name=name, train=150 + 3 * i, validation=38 + i % 5, test=sum(line))
        for i, (name, line) in enumerate(zip(names, confusion, strict=True))
    ]
    test = sum(c.test for c in rows)
    return d.ReportData(
        run="20260805-141503-9f2c",
        goal="Tell the applications and malware families in these captures apart",
        outcome="done",
        spec="goal: Tell the applications and malware families in these captures apart\n"
        "data:\n  source: $NETLOOP_DATA/ustc_tfc2016/sessions\n  label: file\n"
        "  split: {by: time, test: 0.5}\nrequirements: {metric: macro_f1, target: 0.9}\n"
        "design: {candidates: [baselines, cnn]}\nbudget: {minutes: 15}\nseed: 0\n",
        target=0.9,
        models=MODELS,
        chosen="cnn",
        difference=d.PairedDifference(
            baseline="random_forest", difference=0.022, low=0.011, high=0.034
        ),
        findings=[
            "0 of 7,129 split groups are on two sides.",
            "cnn is best on validation: macro-F1 0.921.",
            "cnn reaches the target: macro_f1 0.908, wanted 0.9.",
        ],
        data=d.DataCard(
            source="$NETLOOP_DATA/ustc_tfc2016/sessions",
            label="file",
            granularity="flow",
            classes=rows,
            masks=["addresses", "macs", "ports", "time", "ttl", "ip_id", "seq_ack", "checksums"],
            health=d.HealthSummary(
                captures=22,
                packets=42_647,
                bytes=6_812_440,
                truncated=3_905,
                skipped={"not IP (ARP)": 151, "IPv6 fragment": 12, "unknown link type": 3},
                corrupt=4,
                corrupt_records=[
                    d.CorruptRecord(
                        capture="Malware/Htbot.pcap",
                        offset=182_044,
                        reason="record says 70,221 bytes, the file ends after 1,112",
                    )
                ],
            ),
        ),
        split=d.SplitProof(
            by="time",
            group="flow",
            sides={
                "train": d.SideSize(rows=sum(c.train for c in rows), groups=2_851),
                "validation": d.SideSize(rows=sum(c.validation for c in rows), groups=713),
                "test": d.SideSize(rows=test, groups=3_565),
            },
            groups_on_two_sides=0,
            manifest_sha256="3f2a9c417be05d668812f3a1c09bb7d2e4a6f5081c2d3e4f5a6b7c8d9e0f1a2b",
            warnings=["Tinba: 212 of its 213 test flows begin within one second of each other."],
        ),
        audit=d.Audit(
            rows=AUDIT,
            verdict="doubtful",
            reasons=["181 test rows nearly repeat a training row of the same class."],
            groups=GROUPS,
            leaks=[d.AuditLeak(words="0 test rows are copied.", verdict="none")],
            forged=d.ForgedNetwork(model="cnn", macro_f1=0.908, fall=0.0, moved=0, rows=3_565),
            duplicates=[
                d.Duplicates(name="FTP", rows=345, repeated=345),
                d.Duplicates(name="MySQL", rows=181, repeated=12),
                d.Duplicates(name="Neris", rows=212, repeated=0),
            ],
        ),
        per_class=per_class(names, confusion),
        confusion=d.Confusion(classes=names, counts=confusion),
        curves=d.LearningCurves(
            model="cnn",
            train_loss=[2.9 * math.exp(-epoch / 4) + 0.11 for epoch in range(18)],
            validation_macro_f1=[0.925 - 0.8 * math.exp(-epoch / 3) for epoch in range(17)]
            + [None],
            best_epoch=14,
        ),
        few_labels=d.FewLabelStudy(
            per_class=10,
            draws=20,
            models=[draws("random_forest", 0.916), draws("cnn", 0.882), draws("knn", 0.861)],
        ),
        features=FEATURES,
        explored=explored(),
        made=MadeRows(
            arm="smote",
            amount=4,
            rows=11_230,
            screened_out=174,
            train_rows=2_851,
            notes=["The budget ended before all were written."],
            gate="11,230 rows: 12 copies of real rows.",
        ),
        plans=PLANS,
        limits=[
            "The captures come from one laboratory; traffic of another network may look different.",
            "Benign traffic was replayed: every FTP payload on the test side also occurs in train.",
        ],
        commands=["netloop run spec.yaml --approve auto", "netloop report 20260805-141503-9f2c"],
    )


def counts(classes: int) -> list[list[int]]:
    """Mostly right; every third class is now and then taken for its neighbour."""
    table = [[0] * classes for _ in range(classes)]
    for i in range(classes):
        table[i][i] = 150 + 7 * i % 60
        table[i][(i + 1) % classes] += 4 + (38 if i % 3 == 0 else 0)
        table[i][(i + 5) % classes] += i % 4
    return table


def draws(model: str, middle: float) -> d.FewLabelDraws:
    scores = [middle + 0.04 * math.sin(7 * i) for i in range(20)]
    return d.FewLabelDraws(
        model=model, mean=fmean(scores), std=stdev(scores), min=min(scores), max=max(scores),
        scores=scores,
    )  # fmt: skip


def explored() -> Exploration:
    """Two arms beside more real rows, for a forest."""
    alone = Spread(mean=0.871, std=0.021, min=0.83, max=0.91, ci=(0.861, 0.881))
    better = Spread(mean=0.892, std=0.02, min=0.85, max=0.93, ci=(0.882, 0.902))
    outcomes = [
        Outcome(
            arm=arm, amount=amount, screened=False, rows=40 * amount, score=better, gain=0.021,
            ci=(0.004, 0.038), rate=Rate(rate=0.25, ci=(0.1, 0.4)) if arm == "smote" else None,
        )
        for arm in ("smote", "llm", REAL)
        for amount in (1, 4)
    ]  # fmt: skip
    use = Verdict(
        kind="use", arm="smote", amount=4, gain=0.021, ci=(0.004, 0.038),
        words="Use smote, 4 rows to each real one: +2.1 points [+0.4, +3.8].",
    )  # fmt: skip
    return Exploration(
        metric="accuracy", draws=20, real_rows=40, test_rows=2_519,
        arms={
            "smote": ArmFindings(rows=160, refused={}, gate="3,200 rows: nothing speaks against."),
            "llm": ArmFindings(rows=131, refused={"a copy": 29}, gate="2,620 rows: 4 copies."),
        },
        models={"random_forest": ModelFindings(alone=alone, outcomes=outcomes, verdict=use)},
    )  # fmt: skip


def per_class(names: list[str], table: list[list[int]]) -> list[d.ClassScore]:
    scores = []
    for i, name in enumerate(names):
        recall = table[i][i] / sum(table[i])
        precision = table[i][i] / sum(line[i] for line in table)
        f1 = 2 * precision * recall / (precision + recall)
        scores.append(
            d.ClassScore(name=name, precision=precision, recall=recall, f1=f1, rows=sum(table[i]))
        )
    return scores


def score(name: str, f1: float, half: float, accuracy: float, rate: float) -> d.ModelScore:
    return d.ModelScore(
        name=name, macro_f1=f1, low=f1 - half, high=f1 + half, accuracy=accuracy,
        rows_per_second=rate, baseline=name != "cnn", false_positive_rate=0.02 * (1 - f1),
    )  # fmt: skip


MODELS = [
    score("majority", 0.005, 0.001, 0.067, 2_400_000.4),
    score("one_field", 0.402, 0.013, 0.498, 1_100_000),
    score("knn", 0.781, 0.012, 0.79, 3_120),
    score("logistic_regression", 0.795, 0.012, 0.801, 410_000),
    score("random_forest", 0.886, 0.010, 0.893, 38_500),
    score("gradient_boosting", 0.879, 0.011, 0.887, 52_000),
    score("cnn", 0.908, 0.009, 0.914, 21_300),
]

AUDIT = [
    d.AuditRow(
        field=field, group=group, accuracy=accuracy, majority=0.067, verdict=verdict, masked=masked
    )
    for field, group, accuracy, verdict, masked in (
        ("src_mac", "macs", 0.993, "shortcut", True),
        ("dst_ip", "addresses", 0.981, "shortcut", True),
        ("src2dst_ttl", "ttl", 0.617, "weak", True),
        ("packet_length[0]", "sizes", 0.443, "weak", False),
        ("dst_port", "ports", 0.491, "weak", True),
        ("protocol", "protocol", 0.121, "none", False),
    )
]  # fmt: skip

GROUPS = [
    d.AuditGroup(
        group=group, masked=masked, field=field, field_accuracy=alone, tree_accuracy=tree,
        majority=0.067, verdict=verdict, fall=fall, fall_ci=(fall - 0.01, fall + 0.01)
        if fall is not None else None,
    )
    for group, masked, field, alone, tree, verdict, fall in (
        ("macs", True, "src_mac", 0.993, 0.871, "shortcut", None),
        ("sizes", False, "packet_length[0]", 0.443, 0.702, "strong", 0.311),
        ("gaps", False, None, None, 0.205, "weak", 0.012),
    )
]  # fmt: skip

PLANS = [
    d.PlanVersion(
        stage="requirements", version=1, planner="rules",
        summary="Tell 20 classes apart by flow; macro-F1 of at least 0.9 on the test side.",
        decision="approve", by="person", note="",
    ),
    d.PlanVersion(
        stage="design", version=1, planner="rules",
        summary="Train the whole ladder and the CNN for up to 40 epochs.",
        decision="reject", by="person", note="Too long for this laptop: half the epochs.",
    ),
    d.PlanVersion(
        stage="design", version=2, planner="rules",
        summary="Train the whole ladder and the CNN for up to 20 epochs.",
        changes=["~ train_cnn.epochs: 40 -> 20"], decision="approve", by="person",
    ),
    d.PlanVersion(
        stage="operation", version=1, planner="rules",
        summary="Read the test side once, pack the detector, write the report.",
        decision="ask", by="person", note="Why is the test side read only now?",
        answer="Because a choice made on it would make its score too good.",
    ),
    d.PlanVersion(
        stage="operation", version=2, planner="rules", summary="The same again.",
    ),
]  # fmt: skip
