"""``netloop tune``: a base, instructions, a task; killed and begun again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import Command, command_runner
from traffic_lm_bases import plain_base, traffic_base

from agents.terminal.tune_commands import own_instructions
from pipelines.instructions import instruction_set
from pipelines.models.traffic_lm import nano
from pipelines.models.traffic_lm.base import load_base, save_base
from pipelines.models.traffic_lm.vocabulary import is_extended

NETLOOP = Path(sys.executable).with_name("netloop")
ASKED = {"MTD": "Is there malware in traffic {}?", "EAC": "Which application made flow {}?"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, tiny_lab: Path) -> Path:
    """Two classes of the tiny lab."""
    folder = tmp_path_factory.mktemp("lab") / "lab"
    for name in ("web", "dns"):
        shutil.copytree(tiny_lab / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with traffic tokens."""
    return traffic_base(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Sums are those of the command, which runs so too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def netloop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    monkeypatch.setenv("NETLOOP_WORKSPACE", str(tmp_path / "workspace"))
    return command_runner(monkeypatch, capsys)


def asked(path: Path, count: int = 30) -> Path:
    """Instructions of two tasks, so many of each."""
    rows = [
        {"instruction": words.format(number), "output": code}
        for code, words in ASKED.items()
        for number in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_instructions_are_learned_and_judged(netloop: Command, base: Path, lab, tmp_path) -> None:
    file, out = asked(tmp_path / "asked.jsonl"), tmp_path / "tuned"
    words = ("tune", "instructions", file, "--base", base, "--traffic", lab / "web")
    ended = netloop(*words, "--epochs", 2, "--out", out, "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert (found["rows"], found["epochs"], found["out"]) == (60, 2, str(out))
    assert found["flows"] > 10
    assert found["best_macro_f1"] == max(e["validation_macro_f1"] for e in found["curve"])
    assert "tuning instructions" in ended.err
    assert is_extended(load_base(str(out)).tokenizer)
    assert weights(out) != weights(base)
    assert "## Instruction tuning" in (out / "README.md").read_text()
    assert not (tmp_path / "workspace" / "checkpoints").is_dir() or not any(
        (tmp_path / "workspace" / "checkpoints").iterdir()
    )

    ended = netloop("evaluate", "instructions", file, "--model", out, "--json")
    assert ended.code == 0, ended.err
    score = json.loads(ended.out)
    assert {"rows", "accuracy", "macro_f1", "per_task", "confusion"} <= score.keys()
    assert sum(sum(row.values()) for row in score["confusion"].values()) == score["rows"] == 60
    shown = netloop("evaluate", "instructions", file, "--model", out)
    assert f"macro-F1 {score['macro_f1']:.3f}" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


def test_the_words_of_a_tuning_for_people(netloop: Command, base: Path, tmp_path: Path) -> None:
    file, out = asked(tmp_path / "asked.jsonl"), tmp_path / "tuned"
    shown = netloop("tune", "instructions", file, "--base", base, "--epochs", 1, "--out", out)
    assert "Tuned on 60 instructions" in shown.out
    assert f"base: {out}" in shown.out


def test_labels_of_the_release_are_mended(netloop: Command, base: Path, tmp_path: Path) -> None:
    """A web attack that the release calls an application counts as what it is."""
    row = {"instruction": "Find SQL injection attacks in it", "output": "EAC"}
    file = tmp_path / "asked.jsonl"
    file.write_text(json.dumps(row))
    for words, task in (((), "EAC"), (("--relabel",), "WAD")):
        ended = netloop("evaluate", "instructions", file, "--model", base, "--json", *words)
        assert [*json.loads(ended.out)["confusion"]] == [task]
    words = ("tune", "instructions", "--relabel", "--base", base, "--out", tmp_path / "out")
    assert netloop(*words).code == 2


def test_own_instructions_are_none_that_the_base_was_trained_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.instructions.instructions.PER_TASK", 60)
    every, own = instruction_set(0), own_instructions(0)
    learned = {row.text for row in every[::3]}
    assert not learned & {row.text for row in own}
    assert len(own) + len(learned) == len(every)


def test_a_killed_tuning_goes_on(netloop: Command, base: Path, tmp_path: Path) -> None:
    """The same command again ends with the weights of a tuning that nobody killed."""
    file, out = asked(tmp_path / "asked.jsonl", 150), tmp_path / "tuned"
    words = ["tune", "instructions", file, "--base", base, "--epochs", "5", "--out", out]
    process = subprocess.Popen(
        [NETLOOP, *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = tmp_path / "workspace" / "checkpoints"
    while process.poll() is None and not any(checkpoints.glob("*/checkpoint-*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    (place,) = checkpoints.iterdir()

    ended = netloop(*words)
    assert ended.code == 0, ended.err
    assert "goes on from its checkpoint" in ended.told
    assert not place.exists()
    unbroken = netloop(*words[:-1], tmp_path / "other", "--workspace", tmp_path / "elsewhere")
    assert "goes on" not in unbroken.told
    assert weights(out) == weights(tmp_path / "other")


def test_of_the_processes_of_torchrun_the_first_speaks_and_writes(
    netloop: Command, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    file, out = asked(tmp_path / "asked.jsonl"), tmp_path / "tuned"
    words = ("tune", "instructions", file, "--base", base, "--epochs", 1, "--out", out)
    ended = netloop(*words)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert not out.exists()
    wrong = netloop(*words, "--relabel", "--out", base)
    assert "is there already" in wrong.told  # what ends it may have ended no other


def test_a_base_from_nothing(
    netloop: Command, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, out = nano._shape, tmp_path / "nano"

    def small(tokenizer: Any) -> Any:
        config = shape(tokenizer)
        config.hidden_size, config.intermediate_size, config.num_hidden_layers = 48, 64, 1
        config.head_dim = 16
        return config

    few = own_instructions(0)[::60]
    monkeypatch.setattr(nano, "_shape", small)
    monkeypatch.setattr("pipelines.models.traffic_lm.pretrain.instruction_set", lambda seed: few)
    ended = netloop("tune", "base", lab, "--epochs", 1, "--out", out, "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["captures"] == 4
    assert found["flows"] > 10
    assert len(found["losses"]) == found["epochs"] == 1
    assert found["held_out_loss"] is None  # of four captures none is kept apart
    assert is_extended(load_base(str(out)).tokenizer)
    assert "## Pre-training" in (out / "README.md").read_text()


@pytest.mark.slow
def test_a_task_beside_every_other_model(
    netloop: Command, lab: Path, base: Path, tmp_path: Path
) -> None:
    detector = tmp_path / "detector"
    words = ("tune", "task", lab, "--label", "folder", "--base", base, "--epochs", 1)
    words = (*words, "--method", "lora")
    ended = netloop(*words, "--controls", "--ladder", "--cnn", "--out", detector, "--json")
    assert ended.code == 0, ended.err
    found = {row["name"]: row for row in json.loads(ended.out)["models"]}
    wanted = {"majority", "random_forest", "cnn"}
    wanted |= {"traffic_lm", "traffic_lm_frozen", "traffic_lm_random"}
    assert wanted <= found.keys()
    assert all(row["ci"][0] <= row["macro_f1"] <= row["ci"][1] for row in found.values())
    packed = json.loads((detector / "detector.json").read_text())
    assert packed["model"] == "traffic_lm"
    assert (detector / "model" / "adapter_model.safetensors").is_file()
    again = netloop("evaluate", detector, lab, "--label", "folder", "--json")
    assert again.code == 0, again.err
    (row,) = json.loads(again.out)["models"]
    assert row["name"] == "traffic_lm"
    plain = netloop(*words, "--task", "mtd", "--labels", "names")
    assert plain.code == 0, plain.err
    assert "* traffic_lm" in plain.out
    assert "random_forest" not in plain.out


def test_bad_files_of_instructions(netloop: Command, base: Path, tmp_path: Path) -> None:
    file = tmp_path / "asked.jsonl"
    contents = {
        '{"instruction": "Is it?", "output": "MTD"}\n{"instruction": " ", "output": "MTD"}': (
            f"{file}, line 2 has no text under 'instruction'"
        ),
        "Is it malware?": f"{file}, line 1 is not JSON",
        '{"instruction": "Is it malware?", "output": "MTDX"}': "There is no task 'MTDX'",
        "": "holds no instructions",
    }
    for content, sentence in contents.items():
        file.write_text(content)
        for words in (
            ("tune", "instructions", file, "--base", base, "--out", tmp_path / "out"),
            ("evaluate", "instructions", file, "--model", base),
        ):
            ended = netloop(*words)
            assert (ended.code, ended.out) == (2, "")
            assert sentence in ended.told
    ended = netloop("evaluate", "instructions", tmp_path / "nowhere.jsonl", "--model", base)
    assert ended.code == 2
    assert "nowhere.jsonl cannot be read" in ended.told


def test_a_base_without_traffic_tokens(netloop: Command, lab: Path, tmp_path: Path) -> None:
    plain, file = tmp_path / "plain", asked(tmp_path / "asked.jsonl", 2)
    plain.mkdir()
    save_base(plain, *plain_base())
    for words in (
        ("tune", "task", lab, "--label", "folder", "--base", plain),
        ("evaluate", "instructions", file, "--model", plain),
    ):
        ended = netloop(*words)
        assert (ended.code, ended.out) == (2, "")
        assert "has no traffic tokens" in ended.told
        assert "netloop tune instructions" in ended.told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tune", "task", "LAB", "--task", "malwear"), "There is no task 'malwear'"),
        (("tune", "task", "LAB", "--method", "qlora"), "'prefix'"),
        (("tune", "task", "LAB", "--labels", "words"), "'names'"),
        (("tune", "task", "LAB", "--out", "LAB"), "is there already"),
        (("tune", "task", "LAB", "--out", "/proc/netloop/out"), "cannot be made"),
        (("tune", "base", "NOWHERE", "--out", "OUT"), "There is no capture at"),
        (("tune", "base", "LAB", "--out", "LAB"), "is there already"),
        (("tune", "base", "LAB", "--out", "OUT", "--epochs", "0"), "--epochs"),
        (("tune", "instructions", "--out", "LAB"), "is there already"),
        (("tune", "instructions", "--out", "OUT", "--base", "NOWHERE"), "no such folder"),
        (("evaluate", "LAB", "LAB", "--model", "LAB"), "belong to instructions"),
        (("evaluate", "LAB", "LAB", "--relabel"), "belong to instructions"),
        (("evaluate", "./instructions", "LAB"), "There is no detector folder"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    netloop: Command, lab: Path, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    places = {"LAB": lab, "OUT": tmp_path / "out", "NOWHERE": tmp_path / "nowhere"}
    ended = netloop(*(places.get(word, word) for word in words))
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.told
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out").exists()
