"""Files are whole or absent; names of content depend on content and nothing else."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.store.files import (
    ORDINARY,
    PIECE,
    PRIVATE,
    atomic_file,
    canonical_json,
    hash_file,
    hash_folder,
    hash_text,
    scratch_folder,
    write_atomic,
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


class TestWriteAtomic:
    @pytest.mark.parametrize(
        ("data", "expected"), [("né\n", b"n\xc3\xa9\n"), (b"\0\xff", b"\0\xff"), ("", b"")]
    )
    def test_writes_the_bytes(self, tmp_path: Path, data: str | bytes, expected: bytes) -> None:
        write_atomic(tmp_path / "file", data)
        assert (tmp_path / "file").read_bytes() == expected
        assert os.listdir(tmp_path) == ["file"]

    def test_replaces_an_old_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("a long old text")
        write_atomic(tmp_path / "file", "new")
        assert (tmp_path / "file").read_text() == "new"

    def test_whoever_has_the_old_file_open_reads_it_to_its_end(self, tmp_path: Path) -> None:
        write_atomic(tmp_path / "file", "old")
        with (tmp_path / "file").open() as reader:
            write_atomic(tmp_path / "file", "new")
            assert reader.read() == "old"

    def test_nothing_is_left_of_a_failure(self, tmp_path: Path) -> None:
        (tmp_path / "file").mkdir()
        with pytest.raises(OSError, match="directory"):
            write_atomic(tmp_path / "file", "text")
        assert os.listdir(tmp_path) == ["file"]

    def test_text_that_is_no_text_leaves_the_old_file(self, tmp_path: Path) -> None:
        write_atomic(tmp_path / "file", "old")
        with pytest.raises(UnicodeEncodeError):
            write_atomic(tmp_path / "file", "\udcff")
        assert (tmp_path / "file").read_text() == "old"

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            write_atomic(tmp_path / "absent" / "file", "text")

    def test_a_full_disk_leaves_the_old_file(self, tmp_path: Path) -> None:
        """The kernel refuses to write more than the file-size limit of the process."""
        write_atomic(tmp_path / "file", "old")
        script = (
            "import resource, signal, sys; from pathlib import Path\n"
            "from pipelines.store.files import write_atomic\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
            "write_atomic(Path(sys.argv[1]), b'x' * 8192)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "file")], capture_output=True, text=True
        )
        assert "File too large" in done.stderr
        assert (tmp_path / "file").read_text() == "old"
        assert os.listdir(tmp_path) == ["file"]


class TestScratchFolder:
    def test_is_beside_its_home_and_goes(self, tmp_path: Path) -> None:
        with scratch_folder(tmp_path) as folder:
            assert folder.parent == tmp_path
            (folder / "inner").mkdir()
        assert os.listdir(tmp_path) == []

    def test_goes_when_the_work_fails(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path) as folder:
            (folder / "file").write_text(str(1 / 0))
        assert os.listdir(tmp_path) == []


class TestCanonicalJson:
    def test_keys_are_sorted_and_nothing_is_spare(self) -> None:
        assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"\\u00e9","b":[1,2.5,null]}'

    @given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
    def test_order_does_not_matter(self, value: dict[str, object]) -> None:
        backwards = dict(reversed(value.items()))
        assert canonical_json(value) == canonical_json(backwards)

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_refuses_what_json_cannot_say(self, number: float) -> None:
        with pytest.raises(ValueError, match="JSON compliant"):
            canonical_json({"a": number})

    def test_a_path_that_is_no_text_can_be_hashed(self) -> None:
        assert len(hash_text(canonical_json(os.fsdecode(b"\xff.pcap")))) == 64


class TestHashes:
    def test_of_nothing(self, tmp_path: Path) -> None:
        empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        (tmp_path / "file").touch()
        assert hash_text("") == hash_file(tmp_path / "file") == empty

    @pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1])
    def test_of_a_file_in_pieces(self, tmp_path: Path, size: int) -> None:
        content = bytes(range(256)) * (size // 256 + 1)
        (tmp_path / "file").write_bytes(content[:size])
        assert hash_file(tmp_path / "file") == hashlib.sha256(content[:size]).hexdigest()

    def test_of_a_folder_does_not_depend_on_where_or_in_which_order(self, tmp_path: Path) -> None:
        files = {"a": "1", "b": "2", "c/d": "3"}
        for place, names in (("one", list(files)), ("two", list(reversed(files)))):
            for name in names:
                path = tmp_path / place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(files[name])
        assert hash_folder(tmp_path / "one") == hash_folder(tmp_path / "two")

    @pytest.mark.parametrize(
        "files",
        [
            {"a": "1", "b": "21"},
            {"a": "12", "b": "1"},
            {"a": "1"},
            {"b": "1", "a": "2"},
            {"ab": ""},
        ],
    )
    def test_of_a_folder_tells_names_and_contents_apart(
        self, tmp_path: Path, files: dict[str, str]
    ) -> None:
        for place, held in (("one", {"a": "1", "b": "2"}), ("two", files)):
            (tmp_path / place).mkdir()
            for name, content in held.items():
                (tmp_path / place / name).write_text(content)
        assert hash_folder(tmp_path / "one") != hash_folder(tmp_path / "two")


def test_a_streamed_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with atomic_file(path) as file:
        file.write(b"a,")
        assert not path.exists()
        file.write(b"b\n")
    assert path.read_bytes() == b"a,b\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_streamed_file_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_file(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("umask", "mode", "expected"),
    [
        (0o022, PRIVATE, 0o600),
        (0o000, PRIVATE, 0o600),
        (0o022, ORDINARY, 0o644),
        (0o002, ORDINARY, 0o664),
        (0o077, ORDINARY, 0o600),
    ],
)
def test_who_may_read_a_file(tmp_path: Path, umask: int, mode: int, expected: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_file(tmp_path / "file", mode=mode) as file:
            assert os.fstat(file.fileno()).st_mode & 0o777 == expected
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == expected


def test_artefacts_are_private_unless_said(tmp_path: Path) -> None:
    write_atomic(tmp_path / "artefact", "x")
    write_atomic(tmp_path / "export", "x", mode=ORDINARY)
    assert (tmp_path / "artefact").stat().st_mode & 0o077 == 0
    assert (tmp_path / "export").stat().st_mode & 0o400
