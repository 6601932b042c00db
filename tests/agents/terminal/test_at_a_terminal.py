"""The command at a person's terminal: a pseudo-terminal of 80 columns, keys typed, screens read."""

from pathlib import Path

from command_line import Command
from pseudo_terminal import PseudoTerminal


def test_a_person_approves_at_the_terminal(tmp_path: Path, spec_file: Path) -> None:
    at = PseudoTerminal(tmp_path, "run", spec_file)
    at.menu()
    at.say("w why is the metric macro f1?")
    at.until("every class counts the same")
    at.menu()
    at.say("")  # approve; three questions follow
    for question in ("score must", "false alarms", "nothing to report"):
        at.until(question)
        at.say("")
    at.menu()
    at.say("r only 30% for the test")
    at.until("0.5 -> 0.3")
    at.menu()
    at.say("l")  # rows that the filters would move; decides nothing
    at.until("would move")
    at.menu()
    for _ in range(3):
        at.say("")
        at.menu()
    at.say("")
    assert at.end() == 0
    assert "logistic_regression" in at.screen
    assert at.screen.count("Stage 1/5") == 1  # the answer to "why" pushes no plan off the screen
    assert "\x1b[6n" not in at.screen  # nobody waits for where the cursor is


def test_a_person_may_leave_and_come_back(
    netloop: Command, tmp_path: Path, spec_file: Path
) -> None:
    at = PseudoTerminal(tmp_path, "run", spec_file)
    at.menu()
    at.say("q")
    assert at.end() == 3
    assert at.screen.count("Stage 1/5") == 1
    assert netloop("runs", "resume", "last", "--approve", "auto").code == 0


def test_chat_asks_for_the_goal_and_the_data(tmp_path: Path, table: Path) -> None:
    at = PseudoTerminal(tmp_path, "chat")
    at.until("What do you want to detect?")
    at.say("tell attacks from normal records, only the forest")
    at.until("Where are the labelled captures")
    at.say("nowhere/at/all")
    at.until("Where are the labelled captures")
    (tmp_path / "empty").mkdir()
    at.say("empty")
    at.until("empty folder")
    at.until("Where are the labelled captures")
    at.say(str(table))
    at.until("Where does the class come from")
    at.say("kind")
    at.menu()
    at.say("q")
    assert at.end() == 3
