"""What the rules read in a sentence, and what they leave alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planners.rules.notes import Wishes, read_note


@pytest.mark.parametrize(
    ("note", "part", "value"),
    [
        ("no cnn please", "drop", {"cnn"}),
        ("without the neural network", "drop", {"cnn"}),
        ("please don't use the forest", "drop", {"random_forest"}),
        ("skip gradient boosting", "drop", {"hist_gradient_boosting"}),
        ("drop the baselines", "drop", {"baselines"}),
        ("only the random forest", "only", {"random_forest"}),
        ("just use k-NN", "only", {"knn"}),
        ("the forest only", "only", {"random_forest"}),
        ("also try logistic regression", "add", {"logistic_regression"}),
        ("try the language model", "add", {"traffic_lm"}),
        ("use the traffic LM", "add", {"traffic_lm"}),
        ("no traffic lm", "drop", {"traffic_lm"}),
        ("without traffic_lm", "drop", {"traffic_lm"}),
        ("only the LLM", "only", {"traffic_lm"}),
        ("no traffic_lm_random", "drop", {"traffic_lm_random"}),
        ("add the frozen base", "add", {"traffic_lm_frozen"}),
        ("not the random forest", "drop", {"random_forest"}),
        ("fewer epochs for the language model", "about", {"traffic_lm"}),
        ("no cnn, and a larger forest", "about", {"cnn", "random_forest"}),
        ("use LoRA", "method", "lora"),
        ("with low-rank changes", "method", "lora"),
        ("prefix tuning, please", "method", "prefix"),
        ("full fine-tuning", "method", "full"),
        ("no lora", "method", None),
        ("the prefix 10.0.0.0/8 is ours", "method", None),
        ("with controls", "controls", True),
        ("drop its controls", "controls", False),
        ("parental control", "controls", None),
        ("1 epoch", "epochs", 1),
        ("this is too slow", "pace", -1),
        ("make it faster", "pace", -1),
        ("fewer epochs", "pace", -1),
        ("train longer", "pace", 1),
        ("use 12 epochs", "epochs", 12),
        ("split by capture", "split_by", "capture"),
        ("Separate them by time!", "split_by", "time"),
        ("30% for test", "test_share", 0.3),
        ("make the test side 0.25", "test_share", 0.25),
        ("mask the payload", "mask", {"payload"}),
        ("hide sizes", "mask", {"sizes"}),
        ("unmask ports", "unmask", {"ports"}),
        ("don't mask the ttl", "unmask", {"ttl"}),
        ("hold out by time", "split_by", "time"),
        ("hold out 30%", "test_share", 0.3),
        ("use 95% as the target", "target", 0.95),
        ("tolerate 1% false alarms", "alarms", 0.01),
        ("keep all rows", "keep_rows", True),
        ("at least 95 %", "target", 0.95),
        ("the target is 0.8", "target", 0.8),
        ("false alarms under 1 %", "alarms", 0.01),
        ("no more than a false positive rate of 0.001", "alarms", 0.001),
        ("labels from the folder", "label", "folder"),
        ("a target of 90", "target", 0.9),
        ("reach .9 at least", "target", 0.9),
        ("never more than 0.5 % false alarms", "alarms", 0.005),
        ("false alarms: 0.5 percent", "alarms", 0.005),
        ("do not hide the ports", "unmask", {"ports"}),
        ("do not hide the ports", "mask", set()),
        ("label by file", "label", "file"),
        ("judge per packet", "granularity", "packet"),
        ("use only the last week", "last_days", 7),
        ("only the last 3 days", "last_days", 3),
        ("Just the most recent month, please", "last_days", 30),
        ("keep only flows of the past two weeks", "last_days", 14),
        ("take the newest 10 days only", "last_days", 10),
    ],
)
def test_what_a_sentence_asks(note: str, part: str, value: object) -> None:
    found = getattr(read_note(note), part)
    assert found == (frozenset(value) if isinstance(value, set) else value)


@pytest.mark.parametrize(
    "note",
    [
        "hmm",
        "I do not like it",
        "ask my colleague first",
        "the forester walks in the forests of the north",
        "we cannot test this on Monday",
        "find hosts that reach 10 servers or more",
        "tell at least 3 applications apart",
        "false positives below 1 in 1000 flows",
        "keep the ports masked",
        "show ports hidden as before",
        "it only failed last week",
        "the last week was quiet",
        "only last 0 days",
        "",
    ],
)
def test_a_sentence_that_asks_nothing(note: str) -> None:
    assert read_note(note) == Wishes()


def test_a_sentence_may_ask_several_things() -> None:
    wishes = read_note("Split by capture, 40% for the test, and no CNN: too slow")
    assert (wishes.split_by, wishes.test_share, wishes.pace) == ("capture", 0.4, -1)
    assert wishes.drop == {"cnn"}


def test_what_is_dropped_is_not_added() -> None:
    wishes = read_note("do not use the cnn")
    assert wishes.drop == {"cnn"}
    assert wishes.add == frozenset()


@given(st.text(max_size=300))
def test_no_sentence_breaks_it(note: str) -> None:
    wishes = read_note(note)
    assert wishes.words == note.strip()
    assert wishes.test_share is None or 0 < wishes.test_share < 1
    assert wishes.target is None or 0 <= wishes.target <= 1
