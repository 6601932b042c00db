"""Sites share all rows out, cut no flow, and hold out some of every class."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.deploy.sites import hold_out, shard_sites
from pipelines.errors import InputError


def labels_at(rows: pa.Table, site: np.ndarray) -> set[str]:
    return set(rows["label"].take(site).to_pylist())


def flows_at(rows: pa.Table, site: np.ndarray) -> set[int]:
    return set(rows["flow"].take(site).to_pylist())


def test_a_site_for_each_value(three_offices: pa.Table) -> None:
    sites = shard_sites(three_offices, "office")
    assert {name: labels_at(three_offices, site) for name, site in sites.items()} == {
        "north": {"mail", "web"},
        "south": {"web", "worm"},
        "west": {"worm"},
    }


@pytest.mark.parametrize("by", ["capture", "site"])
def test_split_groups_tell_sites_apart(three_offices: pa.Table, by: str) -> None:
    assert [len(site) for site in shard_sites(three_offices, by).values()] == [80, 80, 20]


@pytest.mark.parametrize("by", ["office", "flow", "classes"])
def test_every_row_is_at_one_site_and_no_flow_is_cut(three_offices: pa.Table, by: str) -> None:
    sites = list(shard_sites(three_offices, by, 3).values())
    assert np.sort(np.concatenate(sites)).tolist() == list(range(three_offices.num_rows))
    flows = [flow for site in sites for flow in flows_at(three_offices, site)]
    assert len(flows) == len(set(flows))


def test_fewer_sites_than_values_get_about_as_many_rows(three_offices: pa.Table) -> None:
    sites = shard_sites(three_offices, "office", 2)
    assert {name: len(site) for name, site in sites.items()} == {"site 1": 100, "site 2": 80}


def test_numbers_tell_sites_apart_too(three_offices: pa.Table) -> None:
    vlan = pa.array(np.arange(three_offices.num_rows) % 2)
    assert set(shard_sites(three_offices.append_column("vlan", vlan), "vlan")) == {"0", "1"}


def skew(rows: pa.Table) -> float:
    """How far the classes of four sites are from those of all: mean total variation."""
    classes = sorted(labels_at(rows, np.arange(rows.num_rows)))
    labels = np.array(rows["label"].to_pylist(), object)
    everywhere = np.array([(labels == name).mean() for name in classes])
    sites = shard_sites(rows, "classes", 4).values()
    there = [[(labels[s] == name).mean() for name in classes] for s in sites if len(s)]
    return float(np.abs(np.array(there) - everywhere).sum(axis=1).mean() / 2)


@pytest.mark.parametrize(("concentration", "least", "most"), [(0.1, 0.4, 1), (1000, 0, 0.1)])
def test_a_small_concentration_makes_sites_differ(
    rows, monkeypatch: pytest.MonkeyPatch, concentration: float, least: float, most: float
) -> None:
    monkeypatch.setattr("pipelines.deploy.sites.CONCENTRATION", concentration)
    table = rows([("x", label, 300) for label in ("mail", "web", "worm", "dns")])
    assert least < skew(table) < most


def test_the_draw_is_the_seeds(three_offices: pa.Table) -> None:
    first, again, other = (shard_sites(three_offices, "classes", 3, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    ("by", "count", "says"),
    [
        ("planet", None, "no column 'planet'"),
        ("office", 4, "4 sites cannot be made of 3 values"),
        ("office", 0, "0 sites"),
        ("classes", None, "None sites cannot be drawn"),
        ("classes", 0, "0 sites cannot be drawn"),
        ("day", None, "no time"),
    ],
)
def test_sites_that_cannot_be_are_refused(three_offices, by: str, count, says: str) -> None:
    with pytest.raises(InputError, match=says):
        shard_sites(three_offices, by, count)


def test_gaps_are_refused() -> None:
    rows = pa.table({"vlan": pa.array(["1", None])})
    with pytest.raises(InputError, match="1 rows have no 'vlan'"):
        shard_sites(rows, "vlan")


# --- what is held out ----------------------------------------------------------------------------


def test_every_site_holds_out_its_share_of_every_class(three_offices: pa.Table) -> None:
    sites = shard_sites(three_offices, "office")
    held = hold_out(three_offices, list(sites.values()), 0.25, 0)
    shares = {name: held[site].mean() for name, site in sites.items()}
    assert shares == pytest.approx({"north": 0.25, "south": 0.25, "west": 0.2})
    labels = np.array(three_offices["label"].to_pylist(), object)
    assert all(held[labels == name].any() for name in ("mail", "web", "worm"))


def test_a_flow_of_two_sites_is_on_one_side(three_offices: pa.Table) -> None:
    ends = np.arange(three_offices.num_rows) % 2  # the two rows of each flow at two sites
    held = hold_out(three_offices, [np.flatnonzero(ends == n) for n in (0, 1)], 0.5, 0)
    assert (held[ends == 0] == held[ends == 1]).all()
    assert 0 < held.mean() < 1


def test_a_lonely_flow_and_an_empty_site_hold_out_nothing(three_offices: pa.Table) -> None:
    assert not hold_out(three_offices, [np.array([0, 1]), np.array([], int)], 0.5, 0).any()
