"""Artefacts: named by content, made whole or not at all, never outside their root."""

import os
import threading
from pathlib import Path

import pytest

from pipelines.errors import NetloopError
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.files import hash_folder


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "runs" / "artifacts")


def writes(text: str, name: str = "file"):
    return lambda folder: (folder / name).write_text(text)


def test_an_artefact_is_found_under_the_hash_of_its_content(store: ArtifactStore) -> None:
    digest = store.make(writes("abc"))
    assert store.has(digest)
    assert (store.path(digest) / "file").read_text() == "abc"
    assert hash_folder(store.path(digest)) == digest
    assert os.listdir(store.root) == [digest]


def test_equal_content_is_one_artefact(store: ArtifactStore) -> None:
    assert store.make(writes("abc")) == store.make(writes("abc"))
    assert len(os.listdir(store.root)) == 1


def test_other_content_or_another_name_is_another(store: ArtifactStore) -> None:
    digests = {store.make(writes("abc")), store.make(writes("abd")), store.make(writes("abc", "x"))}
    assert len(digests) == 3


def test_nothing_is_left_of_a_failure(store: ArtifactStore) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("written")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.make(fail)
    assert os.listdir(store.root) == []


def test_two_writers_of_one_artefact_at_the_same_moment(store: ArtifactStore) -> None:
    """Both are inside ``fill`` before either renames, as two processes in one workspace may be."""
    both = threading.Barrier(2, timeout=10)
    made: list[str] = []

    def fill(folder: Path) -> None:
        writes("abc")(folder)
        both.wait()

    threads = [threading.Thread(target=lambda: made.append(store.make(fill))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert made[0] == made[1]
    assert os.listdir(store.root) == [made[0]]


def test_one_that_another_process_made_while_this_one_was_busy(store: ArtifactStore) -> None:
    def fill(folder: Path) -> None:
        writes("abc")(folder)
        if not store.root.joinpath("nested").exists():
            store.root.joinpath("nested").mkdir()
            store.make(fill)

    digest = store.make(fill)
    assert (store.path(digest) / "file").read_text() == "abc"


def test_a_name_that_is_taken_by_a_file(store: ArtifactStore) -> None:
    digest = store.make(writes("abc"))
    (store.path(digest) / "file").unlink()
    store.path(digest).rmdir()
    (store.root / digest).write_text("in the way")
    with pytest.raises(NotADirectoryError):
        store.make(writes("abc"))


@pytest.mark.parametrize("digest", ["", ".", "..", "../artifacts", "/", "0" * 63, "A" * 64, "x\0"])
def test_what_is_no_hash_is_not_there(store: ArtifactStore, digest: str) -> None:
    store.make(writes("abc"))
    assert not store.has(digest)
    with pytest.raises(NetloopError, match="is not in"):
        store.path(digest)


def test_one_that_was_pruned(store: ArtifactStore) -> None:
    with pytest.raises(NetloopError, match=r"Artefact 000000000000 is not in .* again"):
        store.path("0" * 64)
