"""Rows and models as bytes: what arrives is what was sent, and nothing else is written."""

import io
import zipfile
from pathlib import Path

import pytest

from pipelines.deploy.payloads import (
    in_pieces,
    pack_model,
    rows_from_bytes,
    rows_to_bytes,
    unpack_model,
)
from pipelines.errors import NetloopError


def test_rows_keep_values_and_field_groups(three_offices) -> None:
    back = rows_from_bytes(rows_to_bytes(three_offices))
    assert back.equals(three_offices)
    assert back.schema.equals(three_offices.schema, check_metadata=True)


def test_a_slice_is_sent_without_the_rest(three_offices) -> None:
    content = rows_to_bytes(three_offices.slice(2, 4))
    assert rows_from_bytes(content).equals(three_offices.slice(2, 4))
    assert len(content) < len(rows_to_bytes(three_offices)) / 1.5


def test_pieces_make_all_rows(three_offices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.deploy.payloads.group_rows", lambda schema: 64)
    pieces = list(in_pieces(three_offices))
    assert [piece.num_rows for piece in pieces] == [64, 64, 52]
    assert list(in_pieces(three_offices.slice(0, 0))) == []


@pytest.mark.parametrize("content", [b"", b"nothing of Arrow", b"\xff" * 200], ids=len)
def test_what_is_no_arrow_stream_is_refused(content: bytes) -> None:
    with pytest.raises(NetloopError, match="Rows arrived that cannot be read"):
        rows_from_bytes(content)


def test_cut_rows_are_refused(three_offices) -> None:
    content = rows_to_bytes(three_offices)
    with pytest.raises(NetloopError, match="cannot be read"):
        rows_from_bytes(content[: len(content) // 2])


def test_a_model_folder_arrives_whole_and_packs_to_the_same_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "card.json").write_text("{}")
    (folder / "weights").write_bytes(bytes(1000))
    packed = pack_model(folder)
    (folder / "card.json").touch()
    assert pack_model(folder) == packed
    unpack_model(packed, tmp_path / "back")
    files = {path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()}
    assert files == {"card.json": b"{}", "weights": bytes(1000)}


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/b", ".."])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(NetloopError, match="a file named"):
        unpack_model(content.getvalue(), tmp_path / "model")
    assert list(tmp_path.rglob("*")) == [tmp_path / "model"]


def test_a_model_that_would_fill_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.deploy.payloads.MOST_MODEL_BYTES", 1000)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(1001))
    with pytest.raises(NetloopError, match="too large"):
        unpack_model(content.getvalue(), tmp_path / "model")


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetloopError, match="cannot be unpacked"):
        unpack_model(b"PK\x05\x06 and no more", tmp_path / "model")
