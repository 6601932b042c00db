"""Progress on the terminal: one live bar for the phase that runs, one line for each that ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from agents.terminal.sanitize import visible

# Below this width the bar and the rate give way to the phase's name.
NARROW = 60

# Bars at once: a study, a model in it, an epoch of that.
MOST_BARS = 3


class RichProgress:
    """A ``pipelines.progress.Progress`` that draws on stderr.

    On a terminal every phase that is under way has a bar (or a spinner while its total is unknown),
    the count with its unit, the rate and the time left; phases may be nested. Where stderr is no
    terminal nothing moves. Either way a phase leaves one line when it ends, also if it is repeated.
    ``pause`` takes the bars away for a prompt.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, markup=False, highlight=False)
        self._bars = _bars(self.console)
        self._under_way: dict[str, TaskID] = {}
        self._told: set[str] = set()

    def __call__(self, what: str, done: float, total: float | None, unit: str) -> None:
        """Say how far ``what`` is. The same ``what`` begun again keeps its bar."""
        for name in self._ended_by(what):
            self._end(name)
        if what not in self._under_way:
            self._under_way[what] = self._bars.add_task(visible(what, 80), total=None, unit="")
        task = self._under_way[what]
        if done < self._task(task).completed:
            self._bars.reset(task)
        self._bars.update(task, completed=done, total=total, unit=self._unit(unit))

    def _unit(self, unit: str) -> str:
        """``rows, loss 0.231``; what follows the comma gives way on a narrow screen."""
        return visible(unit.partition(",")[0] if self.console.width < NARROW else unit, 20)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_all(completed=error is None)
        self._bars.stop()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """No bar while the terminal belongs to a prompt; all phases count as ended."""
        self._end_all(completed=True)
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()

    def _ended_by(self, what: str) -> list[str]:
        """Phases that are over now that ``what`` is reported: the complete, the uncountable, and
        the oldest where too many are open (an early stop never reaches its total)."""
        others = [name for name in self._under_way if name != what]
        tasks = {name: self._task(self._under_way[name]) for name in others}
        over = [name for name in others if tasks[name].finished or tasks[name].total is None]
        waiting = [name for name in others if name not in over]
        return over + waiting[: max(0, len(waiting) - MOST_BARS + 1)]

    def _end_all(self, completed: bool) -> None:
        for name in list(self._under_way):
            self._end(name, completed)
        self._told.clear()

    def _end(self, name: str, completed: bool = True) -> None:
        task = self._under_way.pop(name)
        line = _ended(self._task(task), completed, self.console.width)
        self._bars.remove_task(task)
        if name not in self._told:
            self._told.add(name)
            self.console.print(line)

    def _task(self, task: TaskID) -> Task:
        return next(each for each in self._bars.tasks if each.id == task)


def _bars(console: Console) -> Progress:
    """The live display: it leaves nothing when it stops, since ended phases leave lines instead."""
    narrow = console.width < NARROW
    columns = [
        SpinnerColumn(),
        _Phase(Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=16),
        _Figures(with_rate=not narrow),
    ]
    if narrow:
        del columns[2]
    return Progress(
        *columns,
        console=console,
        transient=True,
        expand=True,
        refresh_per_second=5,
        disable=not console.is_terminal,
    )


class _Phase(ProgressColumn):
    """The phase's name, as Text: it may hold what looks like markup."""

    def render(self, task: Task) -> Text:
        return Text(task.description)


class _Figures(ProgressColumn):
    """``12/22 captures  3.1/s  0:04 left``; the time since the beginning while none can be told."""

    def __init__(self, with_rate: bool) -> None:
        super().__init__(Column(no_wrap=True))
        self._with_rate = with_rate

    def render(self, task: Task) -> Text:
        parts = [_count(task)]
        if task.speed and self._with_rate:
            parts.append(f"{_short(task.speed)}/s")
        if task.time_remaining is not None and not task.finished:
            parts.append(f"{_clock(task.time_remaining)} left")
        elif (task.elapsed or 0) >= 2:
            parts.append(_clock(task.elapsed or 0))  # one long piece: show that time passes
        return Text("  ".join(parts))


def _ended(task: Task, completed: bool, width: int) -> Text:
    """The line that a phase leaves: a mark, its name, how much it did, how long it took."""
    figures = f"  {_count(task)}  {_clock(task.elapsed or 0)}"
    name = Text(task.description)
    name.truncate(max(width - len(figures) - 2, 8), overflow="ellipsis")
    mark = Text("✓ ", style="green") if completed else Text("✗ ", style="red")
    return Text.assemble(mark, name, (figures, "dim"))


def _count(task: Task) -> str:
    done = _short(task.completed)
    count = done if task.total is None or task.finished else f"{done}/{_short(task.total)}"
    unit = task.fields["unit"]
    return f"{count} {unit.removesuffix('s') if count == '1' else unit}".rstrip()


def _short(number: float) -> str:
    """A count in few characters: 0.4, 950, 9,999, 12.5k, 4.2M."""
    if number < 10 and number != int(number):
        return f"{number:.1f}"
    if number < 10_000:
        return f"{number:,.0f}"
    for size, suffix in ((1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.1f}{suffix}"
    return f"{number / 1e3:.1f}k"


def _clock(seconds: float) -> str:
    """``0:04``, ``12:30``, ``1:02:03``"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
