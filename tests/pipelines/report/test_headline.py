"""The first line of a report is true, and bad news is in it."""

from typing import Any

import pytest

from pipelines.report import data as d
from pipelines.report.headline import against_baseline, headline, overridden


def score(name: str, f1: float, baseline: bool = True, **more: Any) -> d.ModelScore:
    return d.ModelScore(
        name=name, macro_f1=f1, low=f1 - 0.01, high=f1 + 0.01, accuracy=f1 + 0.02,
        baseline=baseline, **more,
    )  # fmt: skip


FOREST, CNN = score("random_forest", 0.886), score("cnn", 0.908, baseline=False)
BETTER = d.PairedDifference(baseline="random_forest", difference=0.022, low=0.011, high=0.034)


def report(**more: Any) -> d.ReportData:
    values: dict[str, Any] = {
        "run": "r", "goal": "g", "outcome": "done", "models": [FOREST, CNN], "chosen": "cnn",
        "difference": BETTER, **more,
    }  # fmt: skip
    return d.ReportData(**values)


def shortcut(field: str, accuracy: float, masked: bool = False, group: str = "ttl") -> d.AuditRow:
    return d.AuditRow(
        field=field, group=group, accuracy=accuracy, majority=0.5, verdict="shortcut", masked=masked
    )


def split(straddling: int) -> d.SplitProof:
    return d.SplitProof(
        by="time", group="flow", sides={}, groups_on_two_sides=straddling, manifest_sha256="00"
    )


def test_target_met() -> None:
    said = headline(report(target=0.9))
    assert said.level == "good"
    assert said.line == (
        "cnn reaches macro-F1 0.908 (95 % interval 0.898 to 0.918), 0.022 better than "
        "random_forest (95 % interval +0.011 to +0.034)."
    )
    assert said.details == ["The target was met: macro-F1 0.908, wanted 0.9."]


def test_no_target() -> None:
    assert headline(report()).details == ["No target was set."]


def test_exactly_on_target_is_met() -> None:
    assert headline(report(target=0.908)).level == "good"


def test_target_missed_leads() -> None:
    said = headline(report(target=0.95))
    assert (said.level, said.line) == ("warning", "Target missed: macro-F1 0.908, wanted 0.95.")
    assert said.details[0].startswith("cnn reaches macro-F1 0.908")


def test_target_of_another_metric() -> None:
    assert headline(report(metric="accuracy", target=0.92)).level == "good"
    missed = headline(report(metric="accuracy", target=0.93))
    assert missed.line == "Target missed: accuracy 0.928, wanted 0.93."


def test_too_many_false_alarms_are_a_miss() -> None:
    loud = score("cnn", 0.908, baseline=False, false_positive_rate=0.021)
    said = headline(report(models=[FOREST, loud], target=0.9, max_false_positive_rate=0.01))
    assert said.line == "Target missed: false positives 2.10% at a recall of 0.9, tolerated 1.00%."
    both = headline(report(models=[FOREST, loud], target=0.95, max_false_positive_rate=0.01))
    assert both.line.count(";") == 1


def test_open_shortcut_leads_over_a_missed_target() -> None:
    audit = d.Audit(rows=[shortcut("first_ttl", 0.999), shortcut("macs", 0.9)])
    said = headline(report(audit=audit, target=0.95))
    assert said.level == "bad"
    assert said.line == (
        "The audit failed: first_ttl alone predicts the label (accuracy 0.999, majority class "
        "0.500) and the models see it; the same holds for 1 more."
    )
    assert said.details[0].startswith("cnn reaches macro-F1 0.908")


def test_what_was_overridden_leads_over_everything() -> None:
    said = overridden("ttl alone gives the label away.", "person", "known there too")
    found = headline(report(override=said, split=split(3), target=0.95))
    assert (found.level, found.line) == ("bad", said)
    assert said == (
        "This number was accepted although the audit found a leak: ttl alone gives the label away. "
        "Overridden by a person: known there too"
    )
    assert found.details[0].startswith("cnn reaches macro-F1 0.908")
    assert "by the spec: " in overridden("x", "spec", "y")


BEHAVIOUR = [shortcut(f"length {i}", 0.7 + i / 100, group="sizes") for i in range(3)]
WARNED = "random_forest (95 % interval +0.011 to +0.034); but one field alone, length 2 (accuracy "


def test_behaviour_that_predicts_the_label_is_warned_of_behind_the_result() -> None:
    said = headline(report(audit=d.Audit(rows=BEHAVIOUR), target=0.9))
    assert said.level == "warning"
    assert said.line.startswith("cnn reaches macro-F1 0.908")
    assert said.line.endswith(
        f"{WARNED}0.720, majority class 0.500), already predicts the label, as 2 others do: "
        "see the audit."
    )
    assert said.details == ["The target was met: macro-F1 0.908, wanted 0.9."]
    two = headline(report(audit=d.Audit(rows=BEHAVIOUR[1:])))
    assert two.line.endswith("predicts the label, as 1 other does: see the audit.")
    alone = headline(report(audit=d.Audit(rows=BEHAVIOUR[2:])))
    assert alone.line.endswith("already predicts the label: see the audit.")


def test_a_column_of_a_table_is_no_identifier() -> None:
    said = headline(report(audit=d.Audit(rows=[shortcut("bytes", 0.759, group="column")])))
    assert (said.level, said.line[:11]) == ("warning", "cnn reaches")


def test_an_open_identifier_leads_over_stronger_behaviour() -> None:
    said = headline(report(audit=d.Audit(rows=[*BEHAVIOUR, shortcut("first_ttl", 0.6)])))
    assert said.level == "bad"
    assert said.line.startswith("The audit failed: first_ttl alone predicts the label")
    assert said.line.endswith("; the same holds for 3 more.")
    assert "see the audit" not in said.details[0]


def test_a_missed_target_leads_over_the_warning() -> None:
    said = headline(report(audit=d.Audit(rows=BEHAVIOUR), target=0.95))
    assert (said.level, said.line) == ("warning", "Target missed: macro-F1 0.908, wanted 0.95.")
    assert said.details[0].endswith("see the audit.")


def test_a_masked_identifier_does_not_make_behaviour_lead() -> None:
    audit = d.Audit(rows=[*BEHAVIOUR, shortcut("first_ttl", 0.99, masked=True)])
    assert headline(report(audit=audit)).line.endswith("as 2 others do: see the audit.")


def test_behaviour_is_no_headline_before_a_model_was_tested() -> None:
    audit = d.Audit(rows=BEHAVIOUR)
    said = headline(report(models=[], chosen=None, difference=None, outcome="paused", audit=audit))
    assert (said.level, said.line) == ("open", "Paused: no model has been tested yet.")


def test_a_failed_run_says_what_went_wrong() -> None:
    error = "x.csv carries no time. Split by row."
    bare = headline(d.ReportData(run="r", goal="g", outcome="failed", error=error))
    assert bare.line == "Failed: a step went wrong before any model was tested."
    assert bare.details == [error]
    late = headline(report(outcome="failed", error=error))
    assert late.details == ["No target was set.", "A later step went wrong.", error]
    leading = headline(report(outcome="failed", error=error, split=split(1)))
    assert leading.details[-2:] == ["A later step went wrong.", error]


def test_masked_shortcut_is_no_failure() -> None:
    audit = d.Audit(rows=[shortcut("first_ttl", 0.999, masked=True)])
    assert headline(report(audit=audit)).level == "good"


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 flow group is"), (2000, "2,000 flow groups are")]
)
def test_a_leaking_split_leads_over_everything(count: int, words: str) -> None:
    audit = d.Audit(rows=[shortcut("first_ttl", 0.999)])
    said = headline(report(split=split(count), audit=audit, target=0.95))
    assert said.level == "bad"
    assert said.line == f"Do not believe these scores: {words} on two sides of the split."


def test_a_clean_split_is_not_in_the_headline() -> None:
    assert headline(report(split=split(0))).level == "good"


@pytest.mark.parametrize("outcome", ["done", "paused", "refused", "failed", "budget"])
def test_no_model_yet(outcome: d.Outcome) -> None:
    said = headline(d.ReportData(run="r", goal="g", outcome=outcome))
    assert said.level == "open"
    assert said.details == []


@pytest.mark.parametrize("outcome", ["paused", "refused", "failed", "budget"])
def test_a_run_that_ended_early_says_so(outcome: d.Outcome) -> None:
    said = headline(report(outcome=outcome))
    assert said.level == "open"
    assert len(said.details) == 2
    assert headline(report(outcome=outcome, target=0.95)).level == "warning"


def test_the_chosen_model_is_the_best_baseline() -> None:
    said = headline(report(chosen="random_forest", difference=None))
    assert "it is itself the best baseline" in said.line


def test_no_baseline() -> None:
    said = headline(report(models=[CNN], difference=None))
    assert "no baseline was trained to compare it with" in said.line


def test_baseline_without_a_paired_difference() -> None:
    said = headline(report(models=[score("knn", 0.7), FOREST, CNN], difference=None))
    assert said.line.endswith("the best baseline, random_forest, 0.886.")


@pytest.mark.parametrize(
    ("low", "difference", "high", "words"),
    [
        (0.001, 0.02, 0.04, "0.020 better than x (95 % interval +0.001 to +0.040)"),
        (-0.04, -0.02, -0.001, "0.020 worse than x (95 % interval -0.040 to -0.001)"),
        (-0.01, 0.02, 0.04, "not clearly different from x (95 % interval -0.010 to +0.040)"),
        (0.0, 0.02, 0.04, "not clearly different from x (95 % interval +0.000 to +0.040)"),
        (-0.04, -0.02, 0.0, "not clearly different from x (95 % interval -0.040 to +0.000)"),
    ],
)
def test_difference_in_words(low: float, difference: float, high: float, words: str) -> None:
    found = d.PairedDifference(baseline="x", difference=difference, low=low, high=high)
    assert against_baseline(found) == words


def audited(verdict: str, rows: tuple[d.AuditRow, ...] = (), *reasons: str) -> d.Audit:
    return d.Audit(rows=list(rows), verdict=verdict, reasons=list(reasons))  # type: ignore[arg-type]


def test_a_doubt_of_the_audit_that_is_no_field_is_told_and_takes_the_green_away() -> None:
    said = headline(report(audit=audited("doubtful", (), "9 test rows are known.", "Also this.")))
    assert said.level == "warning"
    assert said.details[0] == "The audit calls this doubtful: 9 test rows are known."
    assert headline(report(audit=audited("trustworthy"))).level == "good"


def test_a_field_that_the_first_line_names_is_not_told_twice() -> None:
    row = shortcut("bytes", 0.9, group="sizes")
    said = headline(report(audit=audited("doubtful", (row,), "bytes alone ...")))
    assert said.level == "warning" and "bytes" in said.line
    assert not any("bytes" in line for line in said.details)


def test_a_score_without_an_interval_is_not_green() -> None:
    unsure = CNN.model_copy(update={"low": 0.0, "high": 1.0})
    said = headline(report(models=[FOREST, unsure]))
    assert said.level == "warning"
    assert said.details[0] == "The test side holds too few split groups for an interval."
