"""What filters find in real traffic; every figure can be looked up in the files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.cleaning.filters import Filter, apply_filters, propose_filters
from pipelines.cleaning.kinds import Pool
from pipelines.cleaning.label_errors import find_label_errors
from pipelines.cleaning.near_duplicates import near_duplicates_of
from pipelines.cleaning.plausibility import score_plausibility
from pipelines.cleaning.quarantine import restore
from pipelines.datasets.keys import numbers, text_codes
from pipelines.datasets.sources import load_source


@pytest.fixture(scope="module")
def attacks(data: Path) -> pa.Table:
    return load_source(data / "nsl_kdd", "attack").rows


def proposals(pool: Pool) -> dict[str, Filter]:
    return {found.filter.name: found.filter for found in propose_filters(pool)}


def test_nsl_kdd(attacks: pa.Table) -> None:
    found = proposals(Pool(attacks))
    assert "exact_duplicates" not in found, "they were taken out by those who published it"
    assert 1_500 < found["near_duplicates"].rows < 3_000
    assert found["near_duplicates"].classes["ipsweep"] > 0.5
    assert found["small_classes"].classes_lost == ["ftp_write", "land", "loadmodule", "spy"]
    assert "implausible_rows" not in found, "its records do not contradict themselves"
    parts = apply_filters(Pool(attacks), list(found.values()))
    assert restore(*parts).equals(attacks)


def test_a_row_of_nsl_kdd_with_one_changed_cell_is_found_among_all(attacks: pa.Table) -> None:
    rng = np.random.default_rng(0)
    places = rng.permutation(attacks.num_rows)[:50]
    copies = attacks.take(pa.array(places))
    column = copies.schema.get_field_index("dst_host_count")
    other = pa.array((numbers(copies, "dst_host_count") + 17) % 256)
    copies = copies.set_column(column, copies.schema.field(column), other)
    both = pa.concat_tables([attacks, copies])
    known, test = np.arange(attacks.num_rows), np.arange(attacks.num_rows, both.num_rows)
    assert near_duplicates_of(both, known, test).all()


def test_faults_planted_into_nsl_kdd_are_told(attacks: pa.Table) -> None:
    flag, protocol = (attacks[name].to_numpy(zero_copy_only=False) for name in
                      ("flag", "protocol_type"))  # fmt: skip
    silent = np.flatnonzero(flag == "S0")[:20]
    size = numbers(attacks, "src_bytes").copy()
    size[silent] = 100
    place = attacks.schema.get_field_index("src_bytes")
    spoilt = attacks.set_column(place, attacks.schema.field(place), pa.array(size))
    scores = score_plausibility(spoilt)["score"].to_numpy()
    assert np.flatnonzero(scores < 0.5).tolist() == silent.tolist()
    udp = np.flatnonzero(protocol == "udp")[:20]
    flag[udp] = "REJ"
    place = attacks.schema.get_field_index("flag")
    spoilt = attacks.set_column(place, attacks.schema.field(place), pa.array(flag, pa.string()))
    assert set(udp.tolist()) <= set(np.flatnonzero(score_plausibility(spoilt)["score"].to_numpy()
                                                   < 0.5).tolist())  # fmt: skip


def test_unsw_contradicts_itself_nowhere(data: Path) -> None:
    rows = load_source(data / "unsw_nb15").rows
    found = score_plausibility(rows)
    worst = found.filter(pa.array(found["score"].to_numpy() == 0))
    assert set(worst["reason"].to_pylist()) == set()


def test_the_cic_tool_wrote_gaps_that_are_longer_than_flows(data: Path) -> None:
    """A known fault of CICFlowMeter, of which the corrected versions of the set speak."""
    rows = load_source(data / "cicids2017_sample").rows
    found = score_plausibility(rows)
    worst = found.filter(pa.array(found["score"].to_numpy() == 0))["reason"].to_pylist()
    assert 20 < sum(reason.endswith("is longer than the flow") for reason in worst) < 100


@pytest.mark.parametrize("name", ["iot23", "ctu_sme11_zeek_labeled", "trafficllm_format"])
def test_tables_with_times_can_be_cleaned(data: Path, name: str) -> None:
    rows = load_source(data / name).rows
    found = proposals(Pool(rows))
    assert (score_plausibility(rows)["score"].to_numpy() > 0).all(), "-1 is no contradiction"
    parts = apply_filters(Pool(rows), list(found.values()))
    assert restore(*parts).equals(rows)


def test_ustc_replays_and_broken_captures(data: Path) -> None:
    loaded = load_source(data / "ustc_tfc2016" / "sessions", "file")
    health = [record.to_json() for record in loaded.health]
    pool = Pool(loaded.rows, health)
    found = proposals(pool)
    near = found["near_duplicates"].classes
    assert near["FTP"] > 0.95 and near["MySQL"] > 0.95, "replays"
    assert near.get("Virut", 0) < 0.02 and near.get("Cridex", 0) < 0.02
    broken = found["broken_captures"]
    assert set(broken.classes_lost) == {"Geodo", "Outlook", "SMB", "Weibo"}
    assert not any(one.recommended for one in found.values())
    parts = apply_filters(pool, [found["near_duplicates"], broken])
    assert restore(*parts).equals(loaded.rows)


def test_iot_cameras_replay_and_hosts_chatter(data: Path) -> None:
    rows = load_source(data / "iot_sentinel", "labels.csv").rows
    found = proposals(Pool(rows))
    background = found["background_protocols"]
    assert {"DHCP", "mDNS", "SSDP", "IGMP"} <= set(background.params["protocols"])
    assert len(background.classes) > 20
    assert found["near_duplicates"].share > 0.1


@pytest.mark.slow
def test_planted_label_errors_of_nsl_kdd_are_found(data: Path) -> None:
    """At least 70 % of them at a precision of one half: benchmarks/label_errors.py tells more."""
    rows = load_source(data / "nsl_kdd", "category").rows
    drawn = np.sort(np.random.default_rng(0).permutation(rows.num_rows)[:4_000])
    rows = rows.take(pa.array(drawn))
    rng = np.random.default_rng(1)
    classes, labels = text_codes(rows, "label")
    planted = rng.permutation(len(labels)) < len(labels) // 20
    other = (labels + rng.integers(1, len(classes), len(labels))) % len(classes)
    spoilt = pa.array(classes).take(pa.array(np.where(planted, other, labels)))
    place = rows.schema.get_field_index("label")
    rows = rows.set_column(place, rows.schema.field(place), spoilt)
    found = find_label_errors(rows, numbers(rows, "flow"), (), models=("random_forest", "knn"))
    right = planted[found.ranking()].cumsum()
    precision = right / np.arange(1, len(right) + 1)
    assert (right / planted.sum())[precision >= 0.5].max() >= 0.9
    assert planted[found.confident].mean() > 0.8
    taken = found.instead != np.where(planted, other, labels)
    assert planted[taken].mean() > 0.7
