"""Whole sources as a file: which columns masks leave out, and what may identify anybody."""

import csv
import io
from pathlib import Path

import pytest

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.profiles.export import export_source
from pipelines.profiles.registry import PROFILES

# Columns that one mask leaves out beside those that are of its group alone.
ALSO = {
    ("cic", "ports"): {"Flow ID"},
    ("cic", "gaps"): {"Flow Bytes/s", "Flow Packets/s", "Fwd Packets/s", "Fwd Bulk Rate Avg"},
    ("zeek-conn", "ports"): {"uid", "community_id"},
    ("zeek-conn", "time"): {"uid"},
    ("ipfix", "ports"): {"flowId"},
    ("nprint", "addresses"): {"ipv4_opt_0", "ipv4_opt_319"},
}


@pytest.fixture
def capture(make, tmp_path: Path) -> Path:
    path = tmp_path / "one.pcap"
    packets = enumerate([make.tcp(0, "S"), make.tcp(1, "SA"), make.tcp(0, "PA", 1, b"secret")])
    path.write_bytes(make.pcap(packets))
    return path


def exported(capture: Path, profile: str, *masks: str):
    file = io.BytesIO()
    done = export_source(capture, PROFILES[profile], "csv", file, masks=masks)
    return list(csv.DictReader(io.StringIO(file.getvalue().decode()))), done


@pytest.mark.parametrize(("profile", "mask"), ALSO)
def test_a_mask_leaves_out_what_tells_of_its_group_and_of_others(capture, profile, mask):
    plain, _ = exported(capture, profile)
    masked, _ = exported(capture, profile, mask)
    assert set(plain[0]) - set(masked[0]) >= ALSO[profile, mask]


@pytest.mark.parametrize("profile", ["nfstream", "zeek-conn", "ipfix", "nprint", "cic"])
def test_default_masks_leave_no_identifier_in_any_cell(capture, profile):
    plain, open_export = exported(capture, profile)
    masked, closed_export = exported(capture, profile, *DEFAULT_MASKS)
    assert open_export.identifies
    assert not closed_export.identifies
    cells = {cell for row in plain for cell in row.values()}
    left = {cell for row in masked for cell in row.values()}
    assert masked
    if profile != "nprint":  # which has an address in text, and bits
        assert {"40000", "10.0.0.2"} <= cells
    assert not [cell for cell in left if "40000" in cell or "10.0.0." in cell]


@pytest.mark.parametrize("profile", ["text", "trafficllm", "trafficllm-flow"])
def test_a_text_cannot_leave_out_a_part_of_itself(capture, profile):
    rows, done = exported(capture, profile, *DEFAULT_MASKS)
    assert rows
    assert not done.identifies
    for mask in ("sizes", "flags", "payload", "protocol"):
        with pytest.raises(InputError, match="leave no column"):
            exported(capture, profile, mask)
