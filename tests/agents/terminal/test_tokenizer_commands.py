"""``netloop tokenizer train``: a base with tokens for traffic, and every wrong base told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import Command, command_runner
from safetensors.torch import load_file
from tokenizers import Tokenizer, normalizers
from traffic_lm_bases import plain_base, tiny_llama, traffic_base

from pipelines.models.traffic_lm.base import load_base, save_base
from pipelines.models.traffic_lm.vocabulary import is_extended
from pipelines.represent.traffic_tokens import is_traffic


@pytest.fixture(scope="module")
def lab(tiny_lab: Path) -> Path:
    return tiny_lab


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base that knows nothing of traffic."""
    folder = tmp_path / "base"
    folder.mkdir()
    save_base(folder, *plain_base())
    return folder


@pytest.fixture
def netloop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_runner(monkeypatch, capsys)


def test_a_base_learns_traffic_tokens(
    netloop: Command, lab: Path, base: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "taught"
    words = ("tokenizer", "train", lab, "--base", base, "--out", out, "--least", 5)
    ended = netloop(*words, "--size", 600, "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    taught = load_base(str(out))
    assert is_extended(taught.tokenizer)
    learned = [token for token in taught.tokenizer.get_vocab() if is_traffic(token)]
    assert 260 < found["tokens"] == len(learned) <= 600
    assert found["vocabulary"] == len(taught.tokenizer)
    assert found["share_of_fields"] < 0.2
    assert found["after"]["flow"]["mean"] < found["before"]["flow"]["mean"]
    assert found["learned_flows"] > found["flows"] > 0
    assert found["out"] == str(out)
    assert "reading captures" in ended.err
    assert [path.name for path in out.parent.iterdir()] == ["taught"]
    assert out.stat().st_mode & 0o777 == base.stat().st_mode & 0o777

    shown = netloop(*words[:-4], "--out", tmp_path / "again", "--least", 5)
    assert shown.code == 0
    assert "all 256 byte values come back exactly" in shown.out
    assert max(map(len, shown.out.splitlines()[:-1])) <= 80
    assert f"base: {tmp_path / 'again'}" in shown.out


def test_a_base_that_has_them_keeps_them(netloop: Command, lab: Path, tmp_path: Path) -> None:
    base, out = traffic_base(tmp_path / "base"), tmp_path / "out"
    ended = netloop("tokenizer", "train", lab, "--base", base, "--out", out, "--least", 5, "--json")
    before, after = (load_base(str(folder)).tokenizer.get_vocab() for folder in (base, out))
    assert before.items() < after.items()
    assert json.loads(ended.out)["tokens"] == len(after) - len(before)


def without_tokenizer(base: Path) -> None:
    (base / "tokenizer.json").unlink()


def pickled(base: Path) -> None:
    torch.save(load_file(base / "model.safetensors"), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()


def with_code(base: Path) -> None:
    (base / "own.py").write_text("raise SystemExit(7)")
    config = json.loads((base / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "own.Model", "AutoConfig": "own.Config"}
    (base / "config.json").write_text(json.dumps(config))


def of_another_vocabulary(base: Path) -> None:
    tiny_llama(100).save_pretrained(base)


def losing_case(base: Path) -> None:
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.save(str(base / "tokenizer.json"))


@pytest.mark.parametrize(
    ("damage", "code", "sentence"),
    [
        (without_tokenizer, 2, "has no tokenizer"),
        (pickled, 2, "has no safetensors weights"),
        (with_code, 2, "brings code of its own, which is never run"),
        (of_another_vocabulary, 2, "it belongs to another model"),
        (shutil.rmtree, 2, "no such folder"),
        (losing_case, 1, "does not keep what traffic says"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_base_that_cannot_be_used(
    netloop: Command,
    lab: Path,
    base: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    code: int,
    sentence: str,
) -> None:
    damage(base)
    ended = netloop("tokenizer", "train", lab, "--base", base, "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (code, "")
    assert sentence in ended.told
    assert "Traceback" not in ended.err
    assert not list(tmp_path.glob("*out*")) and not list(tmp_path.glob(".making*"))


def pcap(path: Path, frame: bytes) -> None:
    """A capture of one Ethernet frame."""
    words = (0, 0, len(frame), len(frame))
    record = b"".join(word.to_bytes(4, "little") for word in words) + frame
    head = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    path.write_bytes(head + record)


def test_captures_that_teach_nothing(netloop: Command, lab: Path, base: Path, tmp_path) -> None:
    def told(source: Path) -> str:
        ended = netloop("tokenizer", "train", source, "--base", base, "--out", tmp_path / "out")
        assert (ended.code, ended.out) == (2, "")
        return ended.told

    assert "There is no capture at" in told(tmp_path / "nowhere")
    assert "There is no capture at" in told(base)
    pcap(tmp_path / "arp.pcap", bytes(12) + b"\x08\x06" + bytes(28))
    assert "No capture holds a flow" in told(tmp_path / "arp.pcap")
    assert "There is one capture with flows" in told(lab / "web" / "2025-03-03.pcap")


def test_a_capture_that_cannot_be_read_is_left_out(
    netloop: Command, lab: Path, base: Path, tmp_path: Path
) -> None:
    shutil.copytree(lab / "web", tmp_path / "some")
    (tmp_path / "some" / "broken.pcap").write_bytes(b"no capture")
    words = ("tokenizer", "train", tmp_path / "some", "--base", base, "--out", tmp_path / "out")
    ended = netloop(*words)
    assert ended.code == 0, ended.err
    unwrapped = ended.told.replace(" ", "")  # a long path is broken where the line ends
    assert "broken.pcapwasleftout" in unwrapped


def test_the_new_folder_must_be_new_and_possible(
    netloop: Command, lab: Path, base: Path, tmp_path: Path
) -> None:
    """Said before anything is read."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    places = {
        base: "is there already",
        tmp_path / "file": "is there already",
        tmp_path / "link": "is there already",
        tmp_path / "file" / "out": "cannot be made: Not a directory",
        Path("/proc/netloop/out"): "cannot be made",
    }
    for place, sentence in places.items():
        ended = netloop("tokenizer", "train", lab, "--base", base, "--out", place)
        assert (ended.code, ended.out) == (2, "")
        assert f"--out {place}" in ended.told
        assert sentence in ended.told
        assert "reading" not in ended.err


def test_options_that_cannot_be(netloop: Command, lab: Path, base: Path) -> None:
    for words in (("--size", 0), ("--least", 0), ("--held-out", 1), ("--size", "many")):
        ended = netloop("tokenizer", "train", lab, "--base", base, "--out", "out", *words)
        assert ended.code == 2
        assert words[0] in ended.err


@pytest.mark.parametrize(
    "words",
    [
        "tokenizer train",
        "tune base",
        "tune instructions",
        "tune task",
        "evaluate",
    ],
)
def test_help_has_an_example(netloop: Command, words: str) -> None:
    shown = netloop(*words.split(), "--help")
    assert shown.code == 0
    assert f"Example: netloop {words}" in " ".join(shown.out.split())


@pytest.mark.parametrize("group", ["tokenizer", "tune"])
def test_the_list_of_commands_cuts_no_sentence(netloop: Command, group: str) -> None:
    _, _, commands = netloop(group, "--help").out.partition("Commands:")
    assert commands.strip()
    assert "..." not in commands
