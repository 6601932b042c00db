"""Bars on a terminal, single lines elsewhere, and never anything on stdout."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress

from agents.terminal.progress import RichProgress, _clock, _Figures, _short

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, markup=False)


def log(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=width, markup=False)


def output(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined]


def lines(console: Console) -> list[str]:
    """What stays on the screen, seen without the live display: the lines of the ended phases."""
    plain = ESCAPES.sub("", output(console)).replace("\r", "\n")
    return [line.rstrip() for line in plain.split("\n") if line.startswith(("✓", "✗"))]


def run(console: Console, *calls: tuple[str, float, float | None, str]) -> None:
    with RichProgress(console) as progress:
        for call in calls:
            progress(*call)


@pytest.mark.parametrize("make", [terminal, log])
def test_a_phase_leaves_one_line(make) -> None:
    console = make()
    run(
        console,
        ("reading", 1, 2, "captures"),
        ("reading", 2, 2, "captures"),
        ("cutting", 5, 5, "flows"),
    )
    assert [line.rsplit("  ", 1)[0] for line in lines(console)] == [
        "✓ reading  2 captures",
        "✓ cutting  5 flows",
    ]


def test_a_phase_that_stops_early_says_how_far_it_came() -> None:
    console = log()
    run(console, ("training", 7, 30, "epochs"), ("testing", 1, 1, "rows"))
    assert lines(console)[0].startswith("✓ training  7/30 epochs")


def test_unknown_total_counts_without_one() -> None:
    console = log()
    run(console, ("reading", 12_500, None, "packets"))
    assert lines(console)[0].startswith("✓ reading  12.5k packets")


def test_an_error_marks_the_phase_and_passes_on() -> None:
    console = log()
    with pytest.raises(KeyboardInterrupt), RichProgress(console) as progress:
        progress("training", 3, 30, "epochs")
        raise KeyboardInterrupt
    assert lines(console)[0].startswith("✗ training  3/30 epochs")


def test_the_same_phase_begun_again_is_one_line() -> None:
    console = log()
    run(console, *[("training", epoch, 5, "epochs") for _ in range(3) for epoch in range(6)])
    assert len(lines(console)) == 1


def test_a_phase_within_a_phase_leaves_its_own_line_once() -> None:
    console = log()
    calls = [("few labels", draw, 20, "draws") for draw in range(21)]
    nested = [(call, ("fitting knn", 1, 1, "models")) for call in calls]
    run(console, *[call for pair in nested for call in pair])
    assert [line.split("  ")[0] for line in lines(console)] == ["✓ fitting knn", "✓ few labels"]
    assert "20 draws" in lines(console)[1]


def test_early_stops_do_not_pile_up() -> None:
    console = terminal()
    with RichProgress(console) as progress:
        for draw in range(10):
            progress(f"training {draw}", 3, 40, "epochs")
            assert len(progress._bars.tasks) <= 3
    assert [line.split("  ")[0] for line in lines(console)] == [
        f"✓ training {draw}" for draw in range(10)
    ]


def test_after_a_prompt_the_same_phase_is_told_again() -> None:
    console = log()
    with RichProgress(console) as progress:
        progress("reading", 1, 1, "captures")
        with progress.pause():
            pass
        progress("reading", 2, 2, "captures")
    assert len(lines(console)) == 2


def test_no_call_no_output() -> None:
    console = log()
    run(console)
    assert output(console) == ""


def test_no_terminal_no_escape() -> None:
    console = log()
    run(console, ("reading", 1, 2, "captures"), ("reading", 2, 2, "captures"))
    assert "\x1b" not in output(console)


def test_no_bar_while_paused() -> None:
    console = terminal()
    with RichProgress(console) as progress:
        progress("reading", 1, 2, "captures")
        with progress.pause():
            before = output(console)
            assert "\x1b[?25h" in before.rsplit("\x1b[?25l", 1)[-1], "the cursor is back"
            assert lines(console)[0].startswith("✓ reading")
            progress.console.print("question")
            assert output(console) == before + "question\n"
        progress("training", 1, 2, "epochs")
    assert lines(console)[1].startswith("✓ training  1/2 epochs")


def test_the_bar_comes_back_after_an_interrupted_prompt() -> None:
    console = terminal()
    with RichProgress(console) as progress:
        with pytest.raises(EOFError), progress.pause():
            raise EOFError
        progress("training", 1, 2, "epochs")
    assert len(lines(console)) == 1


@pytest.mark.parametrize("width", [40, 60, 80])
def test_live_and_ended_lines_fit_the_width(width: int) -> None:
    console = terminal(width)
    name = "estimating bidirectional packet statistics of captures that have 名前 " * 3
    with RichProgress(console) as progress:
        for done in range(0, 200_000, 10_000):
            progress(name, done, 1_234_567, "packets")
            progress._bars.refresh()
    for line in re.split(r"[\r\n]", ESCAPES.sub("", output(console))):
        assert cell_len(line) <= width
    assert "200" not in lines(console)[0]
    assert "190.0k/1.2M packets" in lines(console)[0]


def test_live_display_shows_count_rate_and_time_left() -> None:
    console = terminal()
    clock = iter(range(10_000))
    with RichProgress(console) as progress:
        progress._bars.live.auto_refresh = False
        progress._bars.get_time = lambda: float(next(clock))
        for done in (0, 100, 200):
            progress("reading", done, 1000, "packets")
        progress._bars.refresh()
        row = progress._bars.make_tasks_table(progress._bars.tasks)
        progress.console.print(row)
    shown = ESCAPES.sub("", output(console))
    assert re.search(r"reading .* 200/1,000 packets  [\d.]+/s  0:\d\d left", shown)


def test_hostile_names_stay_text() -> None:
    console = terminal()
    run(console, ("[red]x[/] \x1b]52;c;AA\x07 [/]", 1, 1, "\x1b[2J"))
    assert "\x1b]52" not in output(console)
    assert lines(console)[0].startswith(r"✓ [red]x[/] \x1b]52;c;AA\x07 [/]  1 \x1b[2J")


def test_standard_error_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    with RichProgress() as progress:
        progress("reading", 1, 1, "captures")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("✓ reading  1 capture  ")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.4, "0.4"), (3, "3"), (950.4, "950"), (9_999, "9,999"), (12_480, "12.5k"),
     (4_200_000, "4.2M"), (7.1e9, "7.1G")],
)  # fmt: skip
def test_numbers_are_short(number: float, text: str) -> None:
    assert _short(number) == text


def test_clock() -> None:
    assert [_clock(s) for s in (0, 4.4, 750, 3723)] == ["0:00", "0:04", "12:30", "1:02:03"]


COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


def test_colour_is_left_out_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = terminal()
    run(coloured, ("reading", 1, 1, "captures"))
    monkeypatch.setenv("NO_COLOR", "1")
    plain = terminal()
    run(plain, ("reading", 1, 1, "captures"))
    assert COLOUR.search(output(coloured))
    assert not COLOUR.search(output(plain))


def test_what_follows_the_comma_of_a_unit_gives_way_on_a_narrow_screen() -> None:
    wide, narrow = log(), log(40)
    for console in (wide, narrow):
        run(console, ("training cnn", 12_500, 96_000, "rows, loss 0.231"))
    assert lines(wide)[0].startswith("✓ training cnn  12.5k/96.0k rows, loss 0.231")
    assert lines(narrow)[0].startswith("✓ training cnn  12.5k/96.0k rows  ")


def test_one_is_one_of_them() -> None:
    console = log()
    run(console, ("fitting knn", 1, 1, "models"), ("reading", 21, 21, "captures"))
    assert lines(console)[0].startswith("✓ fitting knn  1 model  ")
    assert lines(console)[1].startswith("✓ reading  21 captures")


def test_a_long_piece_shows_that_time_passes() -> None:
    """One fit of minutes has no rate and no time left: the time since its beginning is shown."""
    now = [0.0]
    progress = Progress(console=log(), get_time=lambda: now[0], disable=True)
    task = progress.add_task("fitting", total=1, unit="models")
    figures = _Figures(with_rate=True)
    assert figures.render(progress.tasks[task]).plain == "0/1 models"
    now[0] = 83.0
    assert figures.render(progress.tasks[task]).plain == "0/1 models  1:23"
