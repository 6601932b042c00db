"""Synthetic rows of trainers: who makes which, what is asked for them, and where they go."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.asking import Cell, RowsAsked
from pipelines.augment.names import PLAIN
from pipelines.deploy import crew
from pipelines.deploy.compare import compare
from pipelines.deploy.link import Link
from pipelines.deploy.made import Augmentation
from pipelines.deploy.picture import picture, table
from pipelines.deploy.sites import shard_sites
from pipelines.deploy.study import Asked, DeploymentStudy, pareto
from pipelines.errors import InputError, NetloopError

FAST = Link(delay_ms=0, mbit=10_000)
Tried = Callable[..., DeploymentStudy]


class Writer:
    """An author that writes rows within the ranges; each request costs 100 and 10 tokens."""

    def __init__(self, fails_at: int = 10**6) -> None:
        self.asked: list[RowsAsked] = []
        self.fails_at = fails_at

    def write(self, asked: RowsAsked) -> list[list[Cell]]:
        if len(self.asked) >= self.fails_at:
            raise NetloopError("The server is gone.")
        self.asked.append(asked)
        random = np.random.default_rng(len(self.asked))
        return [
            [c.values[0] if c.values else float(random.uniform(c.low, c.high))
             for c in asked.columns]
            for _ in range(asked.count)
        ]  # fmt: skip

    def spent(self) -> Asked:
        count = len(self.asked)
        return Asked(
            requests=count, tokens_in=100 * count, tokens_out=10 * count, bytes_sent=400 * count
        )


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Who fitted a model on how many rows: the hub or a site. Processes are threads."""
    from pipelines.models.fitting import fit_rows

    fitted: list[tuple[str, int]] = []

    def spy(who: str) -> Callable[..., Any]:
        def fit(name: str, rows: pa.Table, *rest: Any) -> Any:
            fitted.append((who, rows.num_rows))
            return fit_rows(name, rows, *rest)

        return fit

    monkeypatch.setattr(crew, "open_executor", lambda kind, workers: ThreadPoolExecutor(workers))
    for who in ("hub", "site"):
        monkeypatch.setattr(f"pipelines.deploy.{who}.fit_rows", spy(who))
    return fitted


@pytest.fixture
def tried(learned: list[tuple[str, int]], three_offices: pa.Table) -> Tried:
    """``tried(augmentation)``: the three offices, of which west sees one class."""
    without_texts = three_offices.drop_columns("note")
    offices = shard_sites(without_texts, "office")

    def study(augment: Augmentation | None = None) -> DeploymentStudy:
        return compare(
            without_texts, sites=offices, test=0.25, model="logistic_regression", link=FAST,
            augment=augment,
        )  # fmt: skip

    return study


def test_each_trainer_asks_once_for_rows_of_its_own(
    tried: Tried, learned: list[tuple[str, int]]
) -> None:
    author = Writer()
    study = tried(Augmentation("llm", 2, author, author.spent))
    hub, distributed, hybrid = study.layouts
    assert [site.made_rows for site in distributed.sites] == [120, 120, 0], "west trains nothing"
    assert [site.made_rows for site in hub.sites] == [0, 0, 0], "the hub makes them"
    assert hub.made_rows == 272 and distributed.made_rows == 240
    assert sorted(learned) == [
        ("hub", 136 + 272), *[("site", 60 + 120)] * 4
    ], "both layouts of sites learn from the same rows"  # fmt: skip
    assert hub.asked + distributed.asked == author.spent(), "hybrid asks nobody again"
    assert hybrid.asked == distributed.asked == Asked(
        requests=12, tokens_in=1200, tokens_out=120, bytes_sent=4800
    )  # fmt: skip
    assert sum((site.asked for site in distributed.sites), Asked()) == distributed.asked
    assert [site.asked for site in hub.sites] == [Asked()] * 3
    assert {asked.seed for asked in author.asked} == {0, 1, 2}


def test_masked_columns_and_test_rows_are_none_of_the_authors(tried: Tried) -> None:
    author = Writer()
    with_rows, without = tried(Augmentation("llm", 1, author, author.spent)), tried()
    names = {column.name for asked in author.asked for column in asked.columns}
    assert names == {"size"}, "src is hidden from models"
    for one, other in zip(with_rows.layouts, without.layouts, strict=True):
        assert [s.test_rows for s in one.sites] == [s.test_rows for s in other.sites]
        assert [s.train_rows for s in one.sites] == [s.train_rows for s in other.sites]
    sent = [study.layouts[0].bytes_train for study in (with_rows, without)]
    assert sent[0] == sent[1], "made rows cross no link"
    assert without.arm is None and without.layouts[0].asked == Asked()


@pytest.mark.parametrize("arm", PLAIN)
def test_plain_generators_ask_nobody(tried: Tried, arm: str) -> None:
    study = tried(Augmentation(arm, 0.5))
    assert [result.made_rows for result in study.layouts] == [68, 60, 60]
    assert all(result.asked == Asked() for result in study.layouts)
    assert (study.arm, study.amount) == (arm, 0.5)


def test_an_amount_that_comes_to_nothing_adds_nothing(tried: Tried) -> None:
    assert [result.made_rows for result in tried(Augmentation("smote", 0.001)).layouts] == [0] * 3


@pytest.mark.parametrize(
    ("arm", "amount", "said"),
    [
        ("gan", 1, "no generator 'gan'"),
        ("smote", 0, "0 synthetic rows"),
        ("smote", -1, "-1 synthetic rows"),
        ("smote", 51, "at most 50"),
        ("smote", float("nan"), "nan synthetic rows"),
    ],
)
def test_what_cannot_be(arm: str, amount: float, said: str) -> None:
    with pytest.raises(InputError) as error:
        Augmentation(arm, amount)
    assert said in str(error.value)


def test_an_author_that_fails_ends_the_comparison_before_any_process(
    tried: Tried, learned: list[tuple[str, int]]
) -> None:
    author = Writer(fails_at=3)
    with pytest.raises(NetloopError, match="The server is gone"):
        tried(Augmentation("llm", 2, author, author.spent))
    assert learned == []


def test_without_an_author_none_is_asked(tried: Tried) -> None:
    with pytest.raises(InputError, match="none is configured"):
        tried(Augmentation("llm", 2))


def test_tokens_are_a_criterion_and_are_shown(result, study) -> None:
    dear = Asked(requests=9, tokens_in=9000, tokens_out=100, bytes_sent=40_000, minutes=1.5)
    hub, site = result("centralised", 0.9, 1000, 5.0), result("distributed", 0.9, 1000, 5.0)
    assert pareto(study(hub, site)) == ["centralised", "distributed"]
    asking = site.model_copy(
        update={
            "asked": dear,
            "made_rows": 180,
            "sites": [site.sites[0].model_copy(update={"asked": dear, "made_rows": 180})],
        }
    )
    compared = study(hub, asking).model_copy(update={"arm": "llm", "amount": 2.0})
    assert pareto(compared) == ["centralised"]
    lines = [line.split() for line in table(compared)]
    assert lines[-4][:4] == ["rows", "by", "llm,", "2:1"]
    cost = ["180", "9", "9,000", "100", "40.0", "kB", "1.50"]
    assert lines[-3] == ["centralised", "0", "0", "0", "0", "0", "B", "0.00"]
    assert (lines[-2], lines[-1]) == (["distributed", *cost], ["north", *cost])
    drawn = picture(compared)
    assert "tokens of the language model" in drawn and "9,100 tokens asked of a model" in drawn
    assert "rows by" not in "\n".join(table(study(hub, site)))
    assert "tokens" not in picture(study(hub, site))
