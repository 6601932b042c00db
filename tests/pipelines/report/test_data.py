"""What a report refuses to say."""

import math

import pytest
from pydantic import ValidationError

from pipelines.report import data as d


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_scores_are_numbers(number: float) -> None:
    with pytest.raises(ValidationError, match="not a finite number"):
        d.ClassScore(name="x", precision=number, recall=0.5, f1=0.5, rows=1)


def test_chosen_model_must_have_been_tested(make) -> None:
    with pytest.raises(ValidationError, match="'svm' is not among the tested models"):
        d.ReportData(run="r", goal="g", outcome="done", chosen="svm")


def test_compared_baseline_must_have_been_tested(make) -> None:
    values = make(2).model_dump()
    values["difference"]["baseline"] = "svm"
    with pytest.raises(ValidationError, match="'svm' is not among the tested models"):
        d.ReportData.model_validate(values)


@pytest.mark.parametrize("counts", [[], [[1]], [[1, 2]], [[1, 2], [3]], [[1, 2], [3, 4], [5, 6]]])
def test_a_confusion_matrix_is_square(counts: list[list[int]]) -> None:
    with pytest.raises(ValidationError, match="2 rows and columns"):
        d.Confusion(classes=["a", "b"], counts=counts)


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        d.ReportData(run="r", goal="g", outcome="done", cofusion=None)  # type: ignore[call-arg]


def test_a_report_survives_json(make) -> None:
    report = make(3)
    assert d.ReportData.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize(
    ("verdict", "masked", "is_open"),
    [("shortcut", False, True), ("shortcut", True, False), ("weak", False, False)],
)
def test_open_shortcuts(verdict: d.Verdict, masked: bool, is_open: bool) -> None:
    row = d.AuditRow(
        field="x", group="x", accuracy=0.9, majority=0.1, verdict=verdict, masked=masked
    )
    assert row.is_open is is_open
