import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.split_manifest import Split, groups_on_two_sides
from pipelines.datasets.splits import make_split
from pipelines.errors import InputError, NetloopError
from pipelines.store.files import hash_folder


@pytest.fixture
def rows(make_rows) -> pa.Table:
    return make_rows(list("aabb") * 5, [i // 2 for i in range(20)])


def test_a_saved_split_comes_back_whole(rows: pa.Table, tmp_path: Path) -> None:
    split = make_split(rows, "flow", 0.5, seed=3)
    split.save(tmp_path)
    again = Split.load(tmp_path)
    assert again.document == split.document
    assert np.array_equal(again.side, split.side) and again.side.dtype == np.int8
    again.check(rows)


def test_the_same_split_saves_the_same_bytes(rows: pa.Table, tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        make_split(rows, "flow", 0.5, seed=3).save(folder)
        digests.append(hash_folder(folder))
    assert digests[0] == digests[1]


def test_a_group_moved_to_a_second_side_is_found(rows: pa.Table) -> None:
    split = make_split(rows, "flow", 0.5)
    side = split.side.copy()
    side[0] = (side[0] + 1) % 3
    with pytest.raises(NetloopError, match="1 flow groups are on two sides"):
        Split(side, split.document).check(rows)


def test_rows_that_are_not_the_split_ones_are_refused(rows: pa.Table) -> None:
    split = make_split(rows, "flow", 0.5)
    shuffled = rows.take(pa.array(range(19, -1, -1)))
    relabelled = rows.set_column(0, "label", pa.array(["b", *rows["label"].to_pylist()[1:]]))
    for other in (rows.slice(1), shuffled, relabelled):
        with pytest.raises(NetloopError, match="other rows"):
            split.check(other)


def test_rows_in_other_pieces_are_the_same_rows(rows: pa.Table) -> None:
    pieces = pa.concat_tables([rows.slice(0, 7), rows.slice(7)])
    make_split(rows, "flow", 0.5).check(pieces)


def test_sides_are_asked_for_by_name(rows: pa.Table) -> None:
    split = make_split(rows, "flow", 0.5)
    parts = [split.rows_on(side) for side in ("train", "validation", "test")]
    assert sorted(np.concatenate(parts).tolist()) == list(range(20))
    assert np.array_equal(split.rows_on("train", "validation"), np.sort(np.concatenate(parts[:2])))


def test_groups_on_two_sides_by_hand() -> None:
    assert groups_on_two_sides(np.array([0, 0, 1, 1, 2]), np.array([0, 0, 0, 2, 1], np.int8)) == 1
    assert groups_on_two_sides(np.zeros(0, np.int64), np.zeros(0, np.int8)) == 0


def test_a_folder_that_is_no_split_is_refused(rows: pa.Table, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no split"):
        Split.load(tmp_path)
    make_split(rows, "flow", 0.5).save(tmp_path)
    sides = (tmp_path / "sides.npy").read_bytes()
    (tmp_path / "sides.npy").write_bytes(sides[:-3])
    with pytest.raises(InputError, match="holds no split"):
        Split.load(tmp_path)
    np.save(tmp_path / "sides.npy", np.zeros(3, np.int8))
    with pytest.raises(InputError, match="does not fit"):
        Split.load(tmp_path)
    # A row on a fourth side would belong to nobody, and hide its group from the proof.
    for side in (-1, 3):
        np.save(tmp_path / "sides.npy", np.array([0] * 19 + [side], np.int8))
        with pytest.raises(InputError, match="does not fit"):
            Split.load(tmp_path)
    (tmp_path / "sides.npy").write_bytes(sides)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "extra": 1}))
    with pytest.raises(InputError, match="holds no split"):
        Split.load(tmp_path)


def test_a_pickled_side_file_is_not_opened(rows: pa.Table, tmp_path: Path) -> None:
    make_split(rows, "flow", 0.5).save(tmp_path)
    np.save(tmp_path / "sides.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match="holds no split"):
        Split.load(tmp_path)
