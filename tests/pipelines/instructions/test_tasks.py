"""The tasks and how they are looked up."""

import pytest

from pipelines.errors import InputError
from pipelines.instructions.tasks import NONE, TASKS, Kind, task_of


def test_there_are_ten_detection_tasks_and_four_generation_tasks() -> None:
    codes = {kind: [task.code for task in TASKS if task.kind == kind] for kind in Kind}
    assert codes == {
        Kind.DETECTION: ["MTD", "BND", "MDD", "WAD", "AAD", "EVD", "TBD", "EAC", "WF", "CD"],
        Kind.GENERATION: ["MTG", "BTG", "EVG", "EAG"],
        Kind.NONE: [],
    }


def test_names_are_those_of_the_release() -> None:
    assert [task.name for task in TASKS] == [
        "Malware Traffic Detection",
        "Botnet Detection",
        "Malicious DoH Detection",
        "Web Attack Detection",
        "APT Attack Detection",
        "Encrypted VPN Detection",
        "Tor Behavior Detection",
        "Encrypted App Classification",
        "Website Fingerprinting",
        "Concept Drift",
        "Malware Traffic Generation",
        "Botnet Traffic Generation",
        "Encrypted VPN Generation",
        "Encrypted App Generation",
    ]


def test_none_is_no_task() -> None:
    assert NONE not in TASKS
    assert (NONE.code, NONE.kind) == ("NONE", Kind.NONE)


@pytest.mark.parametrize("task", [*TASKS, NONE], ids=lambda task: task.code)
def test_each_is_found_by_code_and_by_name(task: object) -> None:
    assert task_of(task.code) is task  # type: ignore[attr-defined]
    assert task_of(task.name) is task  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("mtd", "MTD"),
        (" Wf ", "WF"),
        ("malicious doh detection", "MDD"),
        ("TOR-BEHAVIOR DETECTION.", "TBD"),
        ("Concept_Drift", "CD"),
        ("none", "NONE"),
        ("None of these", "NONE"),
    ],
)
def test_case_and_punctuation_do_not_matter(text: str, code: str) -> None:
    assert task_of(text).code == code


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Botnet Detecton", "Botnet Detection (BND)"),
        ("Tor Behaviour Detection", "Tor Behavior Detection (TBD)"),
        ("Encrypted VPN Generator", "Encrypted VPN Generation (EVG)"),
    ],
)
def test_another_name_is_refused_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(InputError) as raised:
        task_of(text)
    assert repr(text) in raised.value.message
    assert near in raised.value.message
    assert "WAD" in raised.value.mend


def test_no_name_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="no task ''"):
        task_of("")


def test_each_says_in_one_sentence_what_it_is() -> None:
    for task in (*TASKS, NONE):
        assert task.about[0].isupper()
        assert task.about.count(".") == 1
        assert task.about.endswith(".")
