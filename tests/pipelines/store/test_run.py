"""A run's folder: private, found by its id and nothing else, held by one process at a time."""

import datetime
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from pipelines.errors import InputError, NetloopError
from pipelines.store.run import RUN_ID, RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, {"goal": "find C2", "state": "running"})


class TestCreate:
    def test_a_new_run_has_an_id_and_a_record(self, run: RunFolder, tmp_path: Path) -> None:
        assert RUN_ID.fullmatch(run.id)
        assert run.path == tmp_path / "runs" / run.id
        record = run.read()
        assert record.pop("created").endswith("+00:00")
        assert record == {"id": run.id, "goal": "find C2", "state": "running"}

    def test_a_later_one_has_a_later_id(self, tmp_path: Path) -> None:
        made = [RunFolder.create(tmp_path, {}).id for _ in range(50)]
        assert len({name[:15] for name in made}) < 50, "some are of the same second"
        assert made == [run.id for run in RunFolder.all(tmp_path)]

    @pytest.mark.parametrize("newest", ["21980101-000000-0000", "21981231-235959-ffff"])
    def test_later_also_where_the_clock_was_set_back(self, tmp_path: Path, newest: str) -> None:
        (tmp_path / "runs" / newest).mkdir(parents=True)
        (tmp_path / "runs" / newest / "run.json").write_text("{}")
        made = [RunFolder.create(tmp_path, {}).id for _ in range(3)]
        assert [newest, *made] == [run.id for run in RunFolder.all(tmp_path)]

    def test_two_processes_at_one_moment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(RunFolder, "all", lambda workspace: [])  # neither sees the other
        clock = Mock(wraps=datetime.datetime)
        clock.now.return_value = datetime.datetime(2026, 1, 2, 3, 4, 5, 250_000, datetime.UTC)
        monkeypatch.setattr("pipelines.store.run.datetime.datetime", clock)
        made = [RunFolder.create(tmp_path, {}).id for _ in range(3)]
        assert made == [f"20260102-030405-400{last}" for last in "012"]

    def test_nobody_else_may_look(self, run: RunFolder) -> None:
        assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((run.path / "run.json").stat().st_mode) == 0o600

    @pytest.mark.parametrize("place", ["file", "file/below"])
    def test_a_workspace_that_cannot_be_written(self, tmp_path: Path, place: str) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(InputError, match=r"cannot be written: Not a directory\. .*--workspace"):
            RunFolder.create(tmp_path / place, {})

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_workspace_without_permission(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(InputError, match="Permission denied"):
            RunFolder.create(tmp_path, {})


class TestOpen:
    def test_by_its_id(self, run: RunFolder, tmp_path: Path) -> None:
        assert RunFolder.open(tmp_path, run.id).path == run.path

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../runs", "/", "/etc", "x\0", "20250101-000000-abcd", "last"]
    )
    def test_nothing_else_is_a_run(self, run: RunFolder, tmp_path: Path, name: str) -> None:
        with pytest.raises(InputError, match=f"There is no run .* newest is {run.id}"):
            RunFolder.open(tmp_path, name)

    @pytest.mark.parametrize("wrap", ["../runs/{}", "{}/", "{}\n", " {}", "{}/../{}", "./{}"])
    def test_an_id_in_disguise(self, run: RunFolder, tmp_path: Path, wrap: str) -> None:
        with pytest.raises(InputError, match="There is no run"):
            RunFolder.open(tmp_path, wrap.format(run.id, run.id))

    def test_a_run_of_another_workspace(self, run: RunFolder, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="There are no runs yet"):
            RunFolder.open(tmp_path / "other", run.id)

    def test_all_runs_oldest_first(self, tmp_path: Path) -> None:
        for name in (
            "20250102-000000-0000",
            "20250101-235959-ffff",
            "not-a-run",
            "20250103-000000",
        ):
            (tmp_path / "runs" / name).mkdir(parents=True)
            (tmp_path / "runs" / name / "run.json").write_text("{}")
        (tmp_path / "runs" / "20250104-000000-0000").mkdir()  # killed before its record was written
        found = [run.id for run in RunFolder.all(tmp_path)]
        assert found == ["20250101-235959-ffff", "20250102-000000-0000"]


class TestRecord:
    def test_update_changes_some_keys(self, run: RunFolder) -> None:
        run.update(state="done", best="cnn")
        record = run.read()
        assert (record["goal"], record["state"], record["best"]) == ("find C2", "done", "cnn")

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null", b'"text"'])
    def test_a_damaged_record_is_a_clear_error(self, run: RunFolder, content: bytes) -> None:
        (run.path / "run.json").write_bytes(content)
        with pytest.raises(NetloopError, match=r"run\.json cannot be read"):
            run.update(state="done")
        assert (run.path / "run.json").read_bytes() == content

    def test_text_of_any_language(self, run: RunFolder) -> None:
        run.update(goal="böse Wirte \u2028 \udcff")
        assert run.read()["goal"] == "böse Wirte \u2028 \udcff"
        assert json.loads((run.path / "run.json").read_bytes())["goal"] == run.read()["goal"]


HOLD = """
import sys
from pathlib import Path
from pipelines.store.run import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


class TestLock:
    def test_held_by_another_process_which_is_named(self, run: RunFolder) -> None:
        command = [sys.executable, "-c", HOLD, str(run.path)]
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(NetloopError, match=rf"another netloop \(process {other.pid}\)"):
                run.locked().__enter__()
            other.kill()
        with run.locked():  # the kernel took it from the killed process
            assert (run.path / "lock").read_text() == str(os.getpid())

    def test_free_again_after_the_work_and_after_a_failure(self, run: RunFolder) -> None:
        with run.locked():
            pass
        with pytest.raises(ZeroDivisionError), run.locked():
            raise ZeroDivisionError
        with run.locked():
            pass

    def test_twice_in_one_process(self, run: RunFolder) -> None:
        with run.locked(), pytest.raises(NetloopError, match=str(os.getpid())):
            run.locked().__enter__()

    def test_a_shorter_process_id_leaves_nothing_of_the_longer(self, run: RunFolder) -> None:
        (run.path / "lock").write_text("9" * 19)
        with run.locked():
            assert (run.path / "lock").read_text() == str(os.getpid())

    def test_a_folder_that_cannot_be_written(self, run: RunFolder) -> None:
        (run.path / "lock").mkdir()
        with pytest.raises(InputError, match=r"cannot be locked in .*directory"):
            run.locked().__enter__()
