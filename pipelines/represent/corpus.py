"""Unlabelled traffic text: what tokens and language models are learned from."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pipelines.capture import read_flows
from pipelines.capture.rotation import find_rotation
from pipelines.capture.settings import FlowSettings
from pipelines.datasets.captures import find_captures
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.progress import Progress, silent
from pipelines.represent.traffic_text import RowText, row_texts

DEFAULTS = FlowSettings()


def traffic_corpus(
    sources: Iterable[Path],
    masks: Sequence[str] = DEFAULT_MASKS,
    *,
    settings: FlowSettings = DEFAULTS,
    progress: Progress = silent,
    warn: Callable[[str], object] = lambda line: None,
) -> dict[str, list[RowText]]:
    """The flows of every capture below ``sources`` as texts, by the capture's path.

    Captures that cannot be read are left out, each with a warning. Raises InputError if a source
    holds no capture or none holds a flow.
    """
    captures = [capture for source in sources for capture in _captures(source)]
    corpus: dict[str, list[RowText]] = {}
    for done, files in enumerate(captures):
        progress("reading captures", done, len(captures), "captures")
        try:
            tables = list(read_flows(files if len(files) > 1 else files[0], settings))
        except InputError as error:
            warn(f"{files[0]} was left out: {error.message}")
            continue
        corpus[str(files[0])] = [text for rows in tables for text in row_texts(rows, masks)]
    progress("reading captures", len(captures), len(captures), "captures")
    if not any(corpus.values()):
        raise InputError("No capture holds a flow to learn from.", "Give captures with traffic.")
    return corpus


def _captures(source: Path) -> list[list[Path]]:
    found = find_captures(source)
    if found is None:
        raise InputError(f"There is no capture at {source}.", "Give a pcap file, or a folder.")
    return find_rotation(found.files.values())


def held_out(names: Iterable[str], every: int) -> set[str]:
    """Every n-th of the sorted names: captures that tokens and models are judged on."""
    return set(sorted(names)[every - 1 :: every])
