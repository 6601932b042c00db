"""What hub and site make of a peer that does not keep to the order of things."""

import socket
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.deploy.crew import LostPeer
from pipelines.deploy.hub import lead
from pipelines.deploy.job import TEST, TRAIN, Job
from pipelines.deploy.link import Link, Pace
from pipelines.deploy.payloads import pack_model, rows_to_bytes
from pipelines.deploy.site import take_part
from pipelines.deploy.wire import MODEL, ROWS, Channel
from pipelines.errors import InputError, NetloopError
from pipelines.store.rows import write_rows

JOB = Job(model="majority", masks=[], seed=0, link=Link(0, 1000), batch=8, sites=["a"])


@pytest.fixture
def channels(ends: tuple[socket.socket, socket.socket]) -> tuple[Channel, Channel]:
    """The one that is tried and its peer, whose messages wait in the connection."""
    tried, peer = (Channel(end, Pace(JOB.link), "The site 'a'") for end in ends)
    tried.connection.settimeout(1)
    return tried, peer


@pytest.fixture
def folder(tmp_path: Path, three_offices: pa.Table) -> Path:
    """The rows of a site: two classes to learn, some to judge."""
    for part in (TRAIN, TEST):
        (tmp_path / part).mkdir()
        write_rows(tmp_path / part, three_offices.slice(30, 20).select(["label", "size"]))
    return tmp_path


@pytest.mark.parametrize(
    ("layout", "kind"),
    [("distributed", ROWS), ("distributed", MODEL), ("hybrid", ROWS), ("centralised", MODEL)],
)
def test_the_hub_takes_only_what_its_layout_sends(
    channels, layout, kind: bytes, tmp_path: Path
) -> None:
    hub, site = channels
    site.send(kind, b"whatever")
    with pytest.raises(NetloopError, match="The site 'a' sent something that was not asked for"):
        lead(layout, JOB, [hub], tmp_path)


def test_only_a_central_hub_judges(channels, tmp_path: Path) -> None:
    hub, site = channels
    site.send_json({"trained": True})
    site.send(ROWS, b"")
    with pytest.raises(NetloopError, match="not asked for"):
        lead("distributed", JOB, [hub], tmp_path)


def test_a_site_that_ends_is_named(channels, tmp_path: Path) -> None:
    hub, site = channels
    site.connection.close()
    with pytest.raises(LostPeer, match="The site 'a'"):
        lead("hybrid", JOB, [hub], tmp_path)


def test_a_hub_learns_from_what_it_gets_and_judges(
    channels, three_offices: pa.Table, tmp_path: Path
) -> None:
    hub, site = channels
    rows = three_offices.slice(30, 20).select(["label", "size"])
    site.send(ROWS, rows_to_bytes(rows))
    site.send_json({"trained": False})
    site.send(ROWS, rows_to_bytes(rows.select(["size"])))
    site.send_json({"rows": 20})
    report = lead("centralised", JOB, [hub], tmp_path)
    assert report.trained
    assert report.bytes_sent == hub.sent > 0
    assert site.receive_json() == {"do": "learn"}
    assert site.receive_json() == {"do": "judge"}
    assert site.receive()[0] == ROWS


def test_a_site_keeps_to_its_turn(channels, folder: Path) -> None:
    site, hub = channels
    hub.send_json({"do": "judge"})
    with pytest.raises(NetloopError, match="said 'judge' where 'learn' is next"):
        take_part("distributed", folder, JOB, site)


@pytest.mark.parametrize("kind", [MODEL, ROWS])
def test_a_site_takes_models_from_the_hub_and_nothing_else(
    channels, folder: Path, tmp_path: Path, kind: bytes
) -> None:
    (tmp_path / "no model").mkdir()
    (tmp_path / "no model" / "card.json").write_text('{"evil": true}')
    site, hub = channels
    hub.send_json({"do": "learn"})
    hub.send_json({"do": "take", "models": 1})
    hub.send(kind, pack_model(tmp_path / "no model"))
    wrong = (InputError, "not a model folder") if kind == MODEL else (NetloopError, "no model")
    with pytest.raises(wrong[0], match=wrong[1]):
        take_part("hybrid", folder, JOB, site)


def test_a_site_alone_judges_with_its_own_model(channels, folder: Path) -> None:
    site, hub = channels
    hub.send_json({"do": "learn"})
    hub.send_json({"do": "judge"})
    report = take_part("distributed", folder, JOB, site)
    assert report.trained
    assert report.verdicts == ["mail"] * 20 or report.verdicts == ["web"] * 20
    assert len(report.latency_ms) == 3, "20 rows in batches of 8"
    assert report.bytes_train + report.bytes_judge == site.sent
