"""What a new run takes over from another one's folder, which is only read."""

import os
import shutil

from agents.trail import answer_log
from pipelines.store.artifacts import DIGEST
from pipelines.store.files import scratch_folder, write_atomic
from pipelines.store.run import RunFolder

# Where answers stand that are rows, by what was asked (agents/planners/llm/rows.py).
WRITTEN_ROWS = "augmentation/rows"


def take_over_calls(source: RunFolder, run: RunFolder) -> None:
    """Finished calls and all artefacts. Calls are listed first: the source may be at work."""
    calls = sorted(source.calls.glob("*.json"))
    found = source.store.root.iterdir() if source.store.root.exists() else []
    for folder in (folder for folder in found if DIGEST.fullmatch(folder.name)):
        take_over_artefact(folder.name, source, run)
    for path in calls:
        write_atomic(run.calls / path.name, path.read_bytes())


def take_over_artefact(digest: str, source: RunFolder, run: RunFolder) -> None:
    """One artefact, unless it is there already. Raises NetloopError if the source has lost it."""
    if run.store.has(digest):
        return
    folder = source.store.path(digest)
    run.store.root.mkdir(exist_ok=True)
    with scratch_folder(run.store.root) as parent:  # whole or not there, also after a kill
        shutil.copytree(folder, parent / "content", copy_function=_link)
        (parent / "content").rename(run.store.root / digest)


def take_over_answers(source: RunFolder, run: RunFolder, plans: list[str], last: str = "") -> None:
    """A language model's answers: all about ``plans`` (as ``design/1``), how ``last`` was proposed.

    What was said later is left behind: it answers what may not be asked again. Rows that it wrote
    are no answer to a plan: whoever asks for the same ones gets them.
    """
    asked = answer_log(source).exchanges
    kept = [
        exchange
        for exchange in asked
        if exchange.place == f"{last}/propose"
        or any(exchange.place.startswith(f"{plan}/") for plan in (*plans, WRITTEN_ROWS))
    ]
    log = answer_log(run)
    for number, exchange in enumerate(kept, start=asked[0].number if asked else 0):
        log.write(exchange.model_copy(update={"number": number}))


def _link(source: str, target: str) -> None:
    """The same file under another name, as artefacts never change; a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
