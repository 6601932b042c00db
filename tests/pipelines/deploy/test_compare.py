"""All three layouts, with real processes, and every byte between them on record."""

import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.deploy.compare import compare
from pipelines.deploy.job import LAYOUTS
from pipelines.deploy.layout import address_of
from pipelines.deploy.link import Link
from pipelines.deploy.sites import shard_sites
from pipelines.deploy.study import DeploymentStudy, LayoutResult, LlmCost
from pipelines.deploy.wire import JSON, MODEL, ROWS, TOKEN_BYTES

sys.path.append(str(Path(__file__).parent))
from relay import Relay, frames, messages_in, rows_in

pytestmark = pytest.mark.slow  # five processes, each of which imports the models

FAST = Link(delay_ms=0, mbit=10_000)
SITES = ("north", "south", "west", "closed")  # west sees one class only, closed has no rows


@dataclass
class Tried:
    study: DeploymentStudy
    relay: Relay
    heard: list[tuple[str, float]]

    def layout(self, name: str) -> LayoutResult:
        return next(result for result in self.study.layouts if result.layout == name)

    def passed(self, layout: str, site: int) -> tuple[bytes, bytes]:
        """What left a site, and what came to it."""
        return self.relay.of_site(site)[LAYOUTS.index(layout)]

    def left(self, layout: str, site: int) -> bytes:
        """What left a site after its token."""
        return self.passed(layout, site)[0][TOKEN_BYTES:]


@pytest.fixture(scope="module")
def tried(three_offices: pa.Table) -> Tried:
    """Logistic regressions at three offices; what passes between sites and hub is kept."""
    relays: list[Relay] = []

    def through_a_relay(listener: socket.socket) -> tuple[str, int]:
        relays.append(Relay(address_of(listener)))
        return relays[-1].address

    heard: list[tuple[str, float]] = []
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipelines.deploy.layout.address_of", through_a_relay)
            study = compare(
                three_offices,
                sites={**shard_sites(three_offices, "office"), "closed": np.arange(0)},
                test=0.25,
                model="logistic_regression",
                link=FAST,
                batch=4,
                llm_cost_per_training=LlmCost(requests=10, tokens=5000, money=0.5),
                progress=lambda what, done, total, unit: heard.append((what, done)),
            )
    finally:
        for relay in relays:
            relay.close()
    return Tried(study, relays[0], heard)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bytes_are_those_that_passed(tried: Tried, layout: str) -> None:
    result = tried.layout(layout)
    up, down = zip(*(tried.passed(layout, site) for site in range(4)), strict=True)
    assert [site.bytes_train + site.bytes_judge for site in result.sites] == [*map(len, up)]
    assert result.bytes_train + result.bytes_judge == sum(map(len, up))
    assert result.bytes_hub == sum(map(len, down))


def kinds(tried: Tried, layout: str) -> set[bytes]:
    return {kind for site in range(4) for kind, _ in frames(tried.left(layout, site))}


def test_distributed_sites_send_nothing_but_scores(tried: Tried) -> None:
    assert kinds(tried, "distributed") == {JSON}
    said = [messages_in(tried.left("distributed", site)) for site in range(4)]
    assert said[0] == [
        {"site": 0}, {"trained": True}, {"rows": 20, "accuracy": 1.0, "macro_f1": 1.0}
    ]  # fmt: skip
    assert said[2] == [{"site": 2}, {"trained": False}, {"rows": 4}]


def test_hybrid_sites_send_models_and_scores(tried: Tried) -> None:
    assert kinds(tried, "hybrid") == {JSON, MODEL}
    models = [[k for k, _ in frames(tried.left("hybrid", site))].count(MODEL) for site in range(4)]
    assert models == [1, 1, 0, 0], "a site with one class has no model to send"
    down = [frames(tried.passed("hybrid", site)[1]) for site in range(4)]
    assert [[k for k, _ in site].count(MODEL) for site in down] == [1, 1, 2, 2], (
        "nobody is sent its own"
    )


def test_centralised_sites_send_their_rows(tried: Tried, three_offices: pa.Table) -> None:
    assert kinds(tried, "centralised") == {JSON, ROWS}
    tables = [table for site in range(4) for table in rows_in(tried.left("centralised", site))]
    notes = [note for table in tables for note in table["note"].to_pylist()]
    assert sorted(notes) == sorted(three_offices["note"].to_pylist()), "each row left once"


def test_no_row_leaves_but_from_centralised_sites(tried: Tried, marker: str) -> None:
    assert marker.encode() not in b"".join(tried.left("distributed", site) for site in range(4))
    assert not [t for site in range(4) for t in rows_in(tried.left("hybrid", site))]


def test_labels_leave_with_training_rows_only_and_masked_columns_never(tried: Tried) -> None:
    names = [t.column_names for s in range(4) for t in rows_in(tried.left("centralised", s))]
    assert names.count(["label", "size", "note"]) == 3
    assert names.count(["size", "note"]) == len(names) - 3 == 5 + 5 + 1
    assert b"hidden-from-models" not in b"".join(tried.relay.up)


def test_no_pickle_passes(tried: Tried) -> None:
    assert b"\x80\x04\x95" not in b"".join(tried.relay.up + tried.relay.down), "how one begins"


def test_all_sites_show_a_token(tried: Tried) -> None:
    tokens = {bytes(up[:TOKEN_BYTES]) for up in tried.relay.up}
    assert len(tokens) == 1
    assert len(set(tokens.pop())) > 8, "random bytes"


def test_what_leaves_is_least_when_distributed(tried: Tried) -> None:
    assert all(site.bytes_train < 200 for site in tried.layout("distributed").sites)
    assert tried.layout("centralised").bytes_train > 1000
    assert tried.layout("centralised").bytes_judge > tried.layout("hybrid").bytes_judge


def test_the_hub_tells_every_class_from_every_other(tried: Tried) -> None:
    result = tried.layout("centralised")
    assert result.score.macro_f1 == result.score.accuracy == 1.0
    assert [site.score.macro_f1 for site in result.sites if site.score] == [1.0, 1.0, 1.0]


def test_a_site_of_one_class_trains_nothing_and_is_no_error(tried: Tried) -> None:
    alone = tried.layout("distributed").sites[2]
    assert (alone.score, alone.latency, alone.test_rows) == (None, None, 4)
    assert tried.layout("hybrid").sites[2].score is not None, "it judges with the others' models"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_site_without_rows_is_reported(tried: Tried, layout: str) -> None:
    closed = tried.layout(layout).sites[3]
    assert (closed.site, closed.train_rows, closed.test_rows) == ("closed", 0, 0)
    assert (closed.score, closed.latency) == (None, None)


def test_rows_that_nobody_judged_are_wrong(tried: Tried) -> None:
    assert tried.layout("distributed").score.accuracy == pytest.approx(40 / 44)


def test_trainings_and_what_they_cost(tried: Tried) -> None:
    trainings = {result.layout: result.trainings for result in tried.study.layouts}
    assert trainings == {"centralised": 1, "distributed": 2, "hybrid": 2}
    assert tried.layout("hybrid").llm == LlmCost(requests=20, tokens=10_000, money=1.0)


def test_times_are_measured(tried: Tried) -> None:
    for result in tried.study.layouts:
        assert result.training_minutes > 0
        assert result.latency is not None
        assert 0 < result.latency.median_ms <= result.latency.p95_ms


def test_progress_is_told(tried: Tried) -> None:
    assert {what for what, _ in tried.heard} == {"trying layouts"}
    assert {done for _, done in tried.heard} == {0, 1, 2, 3}


def test_the_study_is_plain_json(tried: Tried) -> None:
    document = json.loads(tried.study.model_dump_json())
    assert document["classes"] == ["mail", "web", "worm"]
    assert [site["site"] for site in document["layouts"][0]["sites"]] == list(SITES)
