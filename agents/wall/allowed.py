"""What of the evidence a planner may see: keys that are known, and how their values are read.

Numbers and netloop's own words pass as they are, names of the data pass through ``Names``,
everything else is dropped: a key that is not listed here, a sentence, a path, a cell. A tool whose
new number a planner should see gets a line here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from agents.wall.features import safe_feature
from agents.wall.names import KINDS as NAME_KINDS
from agents.wall.names import NameKind
from agents.wall.vocabulary import words

# ours: numbers, netloop's own words, and records of known keys; word: the same, but what a mapping
# has for keys are words too; count: how many there are; label: where labels come from; feature: a
# derived column as text, in which columns are named.
Reading = Literal["ours", "word", "count", "label", "feature", NameKind]
Say = Callable[[NameKind, str], str]
# A list or a mapping is cut here: a prompt is no place for ten thousand captures.
LONGEST = 200
DIGITS = 6


def _read(reading: Reading, keys: str) -> dict[str, Reading]:
    return dict.fromkeys(keys.split(), reading)


# What the data is like, apart from any number: allowed at every level. A key of the form
# ``place.key`` holds for the records that stand at ``place`` alone.
STRUCTURE: dict[str, Reading] = {
    **_read("ours", "source test layout kind granularity group by metric task runs_on llm_sees"),
    **_read("word", "masks preset"),
    **_read("label", "label label_choices"),
    **_read("class", "classes classes.name benign"),
    **_read("column", "columns columns.name"),
}
ROWS = """
    rows bytes packets truncated corrupt captures health share precision effect recommended params
    macro_f1_with macro_f1_without captures_per_class days quarantined groups_on_two_sides
"""
FILTERS = "protocols times skipped jump_days below folds only_confident"
AUDITS = """
    verdict mend identifier masked majority chance accuracy macro_f1 gain values of duplicate_of
    field_accuracy tree_accuracy tree_macro_f1 duplicates replays later random gap gap_ci
"""
MODELS = """
    target max_false_positive_rate max_latency_ms minutes_left minutes_per_epoch traffic_lm besides
    each_epoch measured epochs epoch loss curve validation_rows validation_macro_f1 best model
    best_baseline ci false_positive_rate recall f1 support fpr_at_recall difference delta right
    alone arm amount tried level draws_needed screened screened_out absent absent_rows
    rows_per_second rows_per_draw draws mean std min max train_rows test_rows falls fall forged
    moved unknown_below try whole steps tokens_per_row train_tokens_per_second
    score_tokens_per_second memory_mb minutes validation_loss best_epoch stopped_early parameters
"""
# What code computed: allowed from ``stats`` on.
RESULTS: dict[str, Reading] = {
    **_read("ours", f"outcomes {ROWS} {FILTERS} {AUDITS} {MODELS} look look.votes look.wrong"),
    **_read("word", "filters filters.name not_tried models models.name leaks leaks.name groups"),
    **_read("word", "sizes seconds device learning clean_rows.moved facts.validation"),
    **_read("word", "study_few_labels.validation"),
    **_read("word", "train_baselines.validation train_cnn.validation train_traffic_lm.validation"),
    **_read("class", "facts.train classes_lost per_class duplicates.label replays.label"),
    **_read("column", "field fields fields.name falls.name"),
    **_read("capture", "replays.capture"),
    **_read("feature", "outcomes.expression kept"),
    **_read("count", "files warnings notes reasons advice"),
}
NOTHING = object()


@dataclass(frozen=True)
class Sieve:
    """Lets through what ``rules`` allow. ``say`` gives the safe name for a real one.

    ``numbers``: whether numbers pass. ``rest``: how keys without a rule are read; only where keys
    are fields of our own models, never where they may come from data. A rule of None drops a key.
    """

    rules: Mapping[str, Reading | None]
    say: Say
    numbers: bool = True
    rest: Reading | None = None
    longest: int = LONGEST

    def record(self, values: Mapping[str, Any], place: str) -> dict[str, Any]:
        """The allowed part of a record whose keys are fields; ``place`` is the key it stands at."""
        passed = {}
        for key, value in values.items():
            reading = self.rules.get(f"{place}.{key}", self.rules.get(key, self.rest))
            if reading is None:
                continue
            found = self._passed(value, reading, key)
            if found is not NOTHING:
                passed[key] = found
        return passed

    def _passed(self, value: Any, reading: Reading, place: str) -> Any:
        if reading == "count":
            return len(value) if self.numbers and isinstance(value, (list, dict)) else NOTHING
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return _number(value) if self.numbers and isfinite(value) else NOTHING
        if isinstance(value, str):
            return self._text(value, reading)
        if isinstance(value, list):
            return self._items(value, reading, place)
        return self._mapping(value, reading, place) if isinstance(value, dict) else NOTHING

    def _text(self, value: str, reading: Reading) -> Any:
        if reading == "label":
            return value if value in ("file", "folder") else self.say(_label_kind(value), value)
        if reading == "feature" and value not in words():  # auto is one of ours
            return safe_feature(value, self.say)
        if reading in NAME_KINDS:
            return self.say(reading, value)
        return value if value in words() else NOTHING

    def _items(self, values: list[Any], reading: Reading, place: str) -> Any:
        found = [
            self.record(item, place)
            if isinstance(item, dict)
            else self._passed(item, reading, place)
            for item in values[: self.longest]
        ]
        kept = [item for item in found if item is not NOTHING and item != {}]
        return kept if kept or not values else NOTHING

    def _mapping(self, values: dict[str, Any], reading: Reading, place: str) -> Any:
        if reading == "ours":
            found = self.record(values, place)
        else:
            pairs = [
                (self._text(key, reading), self._passed(value, "ours", place))
                for key, value in list(values.items())[: self.longest]
            ]
            found = {key: v for key, v in pairs if key is not NOTHING and v is not NOTHING}
        return found if found or not values else NOTHING


def _label_kind(value: str) -> NameKind:
    return "file" if "/" in value or value.endswith(".csv") else "column"


def _number(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
