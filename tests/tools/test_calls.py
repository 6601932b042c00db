"""Calling tools: parameters are checked, equal calls are not run twice, rates are remembered."""

import os
import struct
from pathlib import Path

import pytest

from pipelines.errors import InputError, NetloopError
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.files import write_atomic
from tools.calls import call, check_params, estimate, inputs_of
from tools.rates import DEFAULTS, Rates
from tools.registry import TOOLS
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec


class CopyParams(Params):
    path: str
    times: int = 1


def make_tool(
    runs: list[CopyParams], version: int = 1, repeatable: bool = True
) -> ToolSpec[CopyParams]:
    """A tool that copies a file into an artefact and counts how often it really ran."""

    def run(params: CopyParams, context: ToolContext) -> ToolResult:
        runs.append(params)
        text = Path(params.path).read_text() * params.times
        digest = context.store.make(lambda folder: write_atomic(folder / "copy", text))
        return ToolResult(artifacts={"copy": digest}, numbers={"length": len(text)}, work=1.0)

    return ToolSpec(
        name="copy",
        summary="Copy",
        params=CopyParams,
        risk="write",
        run=run,
        estimate=lambda params, context: Estimate(minutes=context.rates.minutes("copy", 2)),
        reads=lambda params: [Path(params.path)],
        version=version,
        repeatable=repeatable,
    )


def capture_of(port: int) -> bytes:
    """A classic capture of one UDP packet, 10.0.0.1 to 10.0.0.2."""
    udp = struct.pack("!HHHH", port, 53, 8, 0)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0)
    frame = bytes(12) + b"\x08\0" + head + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + udp
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return header + struct.pack("<IIII", 1_600_000_000, 0, len(frame), len(frame)) + frame


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    return ToolContext(ArtifactStore(tmp_path / "artifacts"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_text("abc")
    return path


def test_an_equal_call_is_taken_from_the_store(
    tmp_path: Path, context: ToolContext, source: Path
) -> None:
    runs: list[CopyParams] = []
    tool = make_tool(runs)
    first = call(tool, {"path": str(source)}, context, tmp_path / "calls")
    second = call(tool, {"path": str(source)}, context, tmp_path / "calls")
    assert (first[1], second[1]) == (False, True)
    assert first[0] == second[0]
    assert len(runs) == 1


def test_a_renamed_capture_is_another_class(tmp_path: Path, context: ToolContext) -> None:
    """Its content and its place among the files stay; a name that is no text changes nothing."""
    data = tmp_path / "data"
    data.mkdir()
    names = [os.fsencode("Neris.pcap"), b"caf\xe9.pcap", b"Virut.pcap"]
    for number, name in enumerate(names):
        (data / os.fsdecode(name)).write_bytes(capture_of(port=1000 + number))

    def classes() -> tuple[list[str], bool]:
        tool, params = TOOLS["import_rows"], {"source": str(data), "label": "file"}
        result, reused = call(tool, params, context, tmp_path / "calls")
        return sorted(result.numbers["classes"]), reused

    assert classes() == (["Neris", "Virut", "caf\\udce9"], False)
    assert classes() == (["Neris", "Virut", "caf\\udce9"], True)
    (data / "Neris.pcap").rename(data / "Nsis.pcap")
    assert classes() == (["Nsis", "Virut", "caf\\udce9"], False)


@pytest.mark.parametrize("change", ["content", "parameter", "seed", "input", "version", "lost"])
def test_what_makes_a_call_another_one(
    tmp_path: Path, context: ToolContext, source: Path, change: str
) -> None:
    runs: list[CopyParams] = []
    params = {"path": str(source), "times": 1}
    result, _ = call(make_tool(runs), params, context, tmp_path / "calls")
    version, after = 1, context
    if change == "content":
        source.write_text("abd")
    elif change == "parameter":
        params["times"] = 2
    elif change == "seed":
        after = ToolContext(context.store, seed=1)
    elif change == "input":
        after = ToolContext(context.store, inputs={"rows": "0" * 64})
    elif change == "version":
        version = 2
    else:
        (context.store.path(result.artifacts["copy"]) / "copy").unlink()
        context.store.path(result.artifacts["copy"]).rmdir()
    call(make_tool(runs, version), params, after, tmp_path / "calls")
    assert len(runs) == 2


def test_a_tool_that_is_not_repeatable_always_runs(
    tmp_path: Path, context: ToolContext, source: Path
) -> None:
    runs: list[CopyParams] = []
    for _ in range(2):
        call(make_tool(runs, repeatable=False), {"path": str(source)}, context, tmp_path / "calls")
    assert len(runs) == 2
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "path: field required"),
        ({"path": "x", "tmies": 2}, "tmies"),
        ({"path": "x", "times": "two"}, "times"),
    ],
)
def test_bad_parameters_are_named(params: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        check_params(make_tool([]), params)
    assert "path, times" in caught.value.mend


def test_a_failing_tool_leaves_nothing_behind(tmp_path: Path, context: ToolContext) -> None:
    with pytest.raises(FileNotFoundError):
        call(make_tool([]), {"path": str(tmp_path / "none")}, context, tmp_path / "calls")
    assert not (tmp_path / "calls").exists()


def test_what_a_tool_needs_is_found_or_named() -> None:
    artifacts = {"rows": "1", "split": "2", "split_rows": "3", "model/cnn": "4", "model/knn": "5"}
    assert inputs_of(TOOLS["audit_shortcuts"], artifacts) == {"split": "2", "split_rows": "3"}
    assert set(inputs_of(TOOLS["evaluate_models"], artifacts)) == {
        "split",
        "split_rows",
        "model/cnn",
        "model/knn",
    }
    with pytest.raises(NetloopError, match="'clean_rows', which no earlier step"):
        inputs_of(TOOLS["split_rows"], artifacts)


def test_an_optional_need_may_be_absent() -> None:
    assert inputs_of(TOOLS["split_rows"], {"clean_rows": "1"}) == {"clean_rows": "1"}
    both = {"clean_rows": "1", "test_rows": "2"}
    assert inputs_of(TOOLS["split_rows"], both) == both


def test_an_estimate_says_whether_it_was_measured(context: ToolContext) -> None:
    rates = Rates(measured={"copy": 30.0})
    known = estimate(make_tool([]), {"path": "x"}, ToolContext(context.store, rates=rates))
    assert (known.minutes, known.measured) == (1.0, True)
    unknown = estimate(make_tool([]), {"path": "x"}, context)
    assert (unknown.minutes, unknown.measured) == (0.0, False)


def test_rates_survive_in_the_workspace(tmp_path: Path) -> None:
    workspace = tmp_path / "not" / "there" / "yet"
    Rates.of(workspace).record("import_rows", work=100, seconds=50)
    assert Rates.of(workspace).minutes("import_rows", 120) == 1.0


def test_calls_too_short_to_tell_are_not_remembered(tmp_path: Path) -> None:
    rates = Rates.of(tmp_path)
    rates.record("import_rows", work=100, seconds=0.01)
    rates.record("import_rows", work=0, seconds=10)
    assert rates.measured == {}
    assert rates.minutes("import_rows", 60) == pytest.approx(DEFAULTS["import_rows"])


@pytest.mark.parametrize("content", ["", "[1]", '{"copy": "fast"}', "\x00"])
def test_damaged_rates_are_forgotten(tmp_path: Path, content: str) -> None:
    (tmp_path / "rates.json").write_text(content)
    assert Rates.of(tmp_path).measured == {}
