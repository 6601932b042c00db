"""How a conversation begins: a run that waits, or a goal and the data for it."""

from pathlib import Path
from typing import Any

from rich.console import Console

from agents.conversation.goal import doubt_about, is_plain, kinds_of_detection
from agents.conversation.phrases import LISTS, SLASH
from agents.spec import Spec
from agents.spec_file import parse_spec
from agents.state import FLOW_VERSION
from agents.terminal.chat_ask import Back, Prompt, clean
from agents.terminal.sanitize import visible
from agents.terminal.tables import say
from agents.trail import Trail
from pipelines.datasets.sources import describe_source, find_source
from pipelines.errors import InputError, NetloopError
from pipelines.store.run import RunFolder

_RESUMABLE = ("paused", "interrupted", "budget", "failed", "running")
_LEAVE = ("/quit", "/exit", "quit", "exit")


class Opening:
    """The questions before there is a plan. Raises EOFError where the person leaves."""

    def __init__(self, workspace: Path, console: Console, prompt: Prompt) -> None:
        self.workspace = workspace
        self.console = console
        self.prompt = prompt

    def begin(self, goal: str | None) -> RunFolder | Spec:
        """A run to take up again, or the spec of a new one."""
        run = waiting_run(self.workspace) if goal is None else None
        if run is not None and not (goal := self._offer(run)):
            return run
        goal = self._agreed(goal or self._ask("What do you want to detect?", _GOALS))
        return parse_spec({"goal": goal, "data": self._data()}, "your answers")

    def _offer(self, run: RunFolder) -> str:
        """A new goal; empty to go on with the run that waits."""
        turn = [*Trail(run).turns.values()][-1]
        stands = "waits" if turn.waits() else "stopped"
        goal = run.read()["spec"]["goal"]
        say(self.console, f"Run {run.id} {stands} at {turn.plan.stage}: {goal}")
        return self._line("[Enter] go on with it, or say a new goal", _GOALS)

    def _agreed(self, goal: str) -> str:
        """A goal that reads like a detection, or that the person insists on."""
        while doubt := self._doubt(goal):
            say(self.console, doubt, "yellow")
            say(self.console, f"Kinds of detection: {_GOALS}", "dim")
            words = self._line("Say it otherwise, or [Enter] to go on all the same", _GOALS)
            if not words:
                break
            goal = words
        return goal

    def _doubt(self, goal: str) -> str:
        if not is_plain(goal):
            say(self.console, "Reading the goal, which takes a moment.", "dim")
        return doubt_about(goal)

    def _data(self) -> dict[str, Any]:
        """A source and where its class comes from, until both fit each other."""
        while True:
            typed = self._ask(
                "Where are the labelled captures (a folder) or the table (a CSV)?", _SOURCES
            )
            source = Path(typed).expanduser()
            try:
                find_source(source)
                return {"source": str(source), "label": self._label(source)}
            except InputError as error:
                say(self.console, str(error), "yellow")
            except Back:
                continue

    def _label(self, source: Path) -> str:
        """Where the class comes from. Raises Back to name another source."""
        proposed = self._proposed(source)
        asked = "Where does the class come from: file, folder, a column, a labels.csv?"
        hint = f" [{visible(proposed)}]" if proposed else " (/back: another source)"
        while True:
            label = self._line(f"{asked}{hint}", _LABELS) or proposed
            if label == "/back":
                raise Back
            if not label:
                continue
            try:
                return describe_source(source, label).label
            except InputError as error:
                say(self.console, str(error), "yellow")

    def _proposed(self, source: Path) -> str:
        """The label that fits the source, empty (with the reason why) if none is clear."""
        try:
            return describe_source(source).label
        except InputError as error:
            say(self.console, str(error), "yellow")
            return ""

    def _ask(self, question: str, about: str) -> str:
        while not (answer := self._line(question, about)):
            pass
        return answer

    def _line(self, question: str, about: str) -> str:
        """One line that is no command; the commands that need a plan say so."""
        while True:
            say(self.console, question, "bold")
            line = clean(self.prompt("> "))
            word = line.lower()
            if word in _LEAVE:
                raise EOFError
            if word in LISTS["help"] or word == "/help":
                say(self.console, about, "dim")
            elif word.startswith("/") and word[1:].partition(" ")[0] in SLASH:
                say(self.console, "There is no plan yet; /quit leaves.", "yellow")
            else:
                return line


def waiting_run(workspace: Path) -> RunFolder | None:
    """The newest run, if it can be taken up again and nobody is at work on it."""
    runs = RunFolder.all(workspace)
    if not runs:
        return None
    run, record = runs[-1], runs[-1].read()
    known = record.get("flow_version") == FLOW_VERSION
    if not known or record["status"] not in _RESUMABLE or not Trail(run).turns:
        return None
    try:
        with run.locked():
            return run
    except NetloopError:
        return None


_GOALS = "; ".join(f"{task.name} ({task.code})" for task in kinds_of_detection())
_SOURCES = (
    "A folder of pcap files, one of them, or a CSV or Parquet table, whose classes are known: by "
    "folder, by file name, by a column, or by a labels.csv."
)
_LABELS = "What tells the class of a capture or of a record; Enter takes what stands in brackets."
