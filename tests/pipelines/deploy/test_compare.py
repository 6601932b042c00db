"""All three layouts, and every byte between sites and hub on record."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.deploy import crew
from pipelines.deploy.compare import compare
from pipelines.deploy.job import LAYOUTS
from pipelines.deploy.link import Link
from pipelines.deploy.sites import shard_sites
from pipelines.deploy.study import DeploymentStudy, LayoutResult
from pipelines.deploy.wire import JSON, MODEL, ROWS, TOKEN_BYTES, Channel, join_hub

sys.path.append(str(Path(__file__).parent))
from relay import Relay, frames, messages_in, rows_in

FAST = Link(delay_ms=0, mbit=10_000)
SITES = ("north", "south", "west", "closed")  # west sees one class only, closed has no rows


def in_threads(patch: pytest.MonkeyPatch) -> None:
    """Hub and sites as threads: a process takes seconds to import the models."""
    patch.setattr(crew, "open_executor", lambda kind, workers: ThreadPoolExecutor(workers))


@dataclass
class Tried:
    study: DeploymentStudy
    relays: list[list[Relay]]  # of each site, a relay a layout
    heard: list[tuple[str, float]]

    def layout(self, name: str) -> LayoutResult:
        return next(result for result in self.study.layouts if result.layout == name)

    def passed(self, layout: str, site: int) -> Relay:
        """What passed between a site and the hub."""
        return self.relays[site][LAYOUTS.index(layout)]

    def left(self, layout: str, site: int) -> bytes:
        """What left a site after its token."""
        return bytes(self.passed(layout, site).up[TOKEN_BYTES:])

    def everything(self) -> bytes:
        """All that passed, one connection and direction after the other."""
        relays = [relay for of_site in self.relays for relay in of_site]
        return b"".join(relay.up + relay.down for relay in relays)


@pytest.fixture(scope="module")
def tried(three_offices: pa.Table) -> Tried:
    """Logistic regressions at three offices; what passes between sites and hub is kept."""
    relays: list[list[Relay]] = [[] for _ in SITES]
    heard: list[tuple[str, float]] = []

    def through_a_relay(hub: tuple[str, int], token: bytes, number: int, *rest: object) -> Channel:
        relays[number].append(Relay(hub))
        return join_hub(relays[number][-1].address, token, number, *rest)

    with pytest.MonkeyPatch.context() as patch:
        in_threads(patch)
        patch.setattr("pipelines.deploy.layout.join_hub", through_a_relay)
        study = compare(
            three_offices,
            sites={**shard_sites(three_offices, "office"), "closed": np.arange(0)},
            test=0.25,
            model="logistic_regression",
            link=FAST,
            batch=4,
            progress=lambda what, done, total, unit: heard.append((what, done)),
        )
    for relay in (relay for of_site in relays for relay in of_site):
        relay.close()
    return Tried(study, relays, heard)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bytes_are_those_that_passed(tried: Tried, layout: str) -> None:
    result = tried.layout(layout)
    passed = [tried.passed(layout, site) for site in range(4)]
    up = [len(relay.up) for relay in passed]
    assert [site.bytes_train + site.bytes_judge for site in result.sites] == up
    assert result.bytes_train + result.bytes_judge == sum(up)
    assert result.bytes_hub == sum(len(relay.down) for relay in passed)


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
    down = [frames(bytes(tried.passed("hybrid", site).down)) for site in range(4)]
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
    assert b"hidden-from-models" not in tried.everything()


def test_no_pickle_passes(tried: Tried) -> None:
    assert b"\x80\x04\x95" not in tried.everything(), "how one begins"


def test_all_sites_show_a_token(tried: Tried) -> None:
    connections = [tried.passed(layout, site) for layout in LAYOUTS for site in range(4)]
    tokens = {bytes(relay.up[:TOKEN_BYTES]) for relay in connections}
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


def test_trainings_are_counted(tried: Tried) -> None:
    trainings = {result.layout: result.trainings for result in tried.study.layouts}
    assert trainings == {"centralised": 1, "distributed": 2, "hybrid": 2}


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


@pytest.mark.slow  # three processes, each of which imports the models
def test_processes_come_to_what_threads_do(
    three_offices: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def studied() -> dict:
        sites = shard_sites(three_offices, "office", 2)
        study = compare(three_offices, sites=sites, model="logistic_regression", link=FAST)
        assert all(result.latency and result.training_minutes for result in study.layouts)
        clocks = {"latency": True, "training_minutes": True, "sites": {"__all__": {"latency"}}}
        return study.model_dump(exclude={"layouts": {"__all__": clocks}})

    of_processes = studied()
    in_threads(monkeypatch)
    assert of_processes == studied()
