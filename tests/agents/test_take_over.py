"""What a new run takes over of a language model's answers."""

from pathlib import Path

from agents.llm.record import Exchange
from agents.take_over import take_over_answers
from agents.trail import answer_log
from pipelines.store.run import RunFolder

PLACES = (
    "requirements/1/propose",
    "augmentation/1/propose",
    "augmentation/rows/00ff",
    "augmentation/2/propose",
    "augmentation/rows/11ee",
    "design/1/propose",
)


def run_folder(path: Path) -> RunFolder:
    path.mkdir()
    return RunFolder(path)


def test_rows_that_were_written_are_taken_over_with_the_way(tmp_path: Path) -> None:
    """They stand under what was asked, not under a plan: nobody pays for the same rows again."""
    source, run = run_folder(tmp_path / "one"), run_folder(tmp_path / "other")
    for number, place in enumerate(PLACES, 1):
        answer_log(source).write(
            Exchange(
                number=number, at="2026-01-01T00:00:00Z", place=place, attempt=1, model="m",
                method="json_schema", request_sha256="0" * 64, answer="{}", fault=None,
                tokens_in=1, tokens_out=1, seconds=0.1,
            )
        )  # fmt: skip
    way = ["requirements/1", "augmentation/1"]
    take_over_answers(source, run, way, "augmentation/2")
    kept = answer_log(run).exchanges
    assert [one.place for one in kept] == [*PLACES[:5]]
    assert [one.number for one in kept] == [1, 2, 3, 4, 5]
    take_over_answers(source, fresh := run_folder(tmp_path / "third"), [])
    assert [one.place for one in answer_log(fresh).exchanges] == [PLACES[2], PLACES[4]]
