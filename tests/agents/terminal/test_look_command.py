"""``netloop runs look``: at a terminal, without one, and what a run does with it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command
from pseudo_terminal import LISTENS, PseudoTerminal

from agents.checkpoints import Decision, Plan
from agents.life_cycle import create_run, opened
from agents.look import Look, Looked, looked_at
from agents.policy import approve_all
from agents.retrace import fork
from agents.spec import Spec
from agents.terminal.look_command import ask_all
from agents.trail import Trail
from pipelines.augment.gate.look import Beside
from pipelines.errors import InputError, NetloopError
from pipelines.store.run import RunFolder

ESCAPE = "\x1b[2J"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run that has made rows by marginals, and waits with its design plan.

    A record is bad if one of two amounts is large and the other is not: marginals, which know only
    one at a time, make as many wrong rows as right ones.
    """
    folder = tmp_path_factory.mktemp("looked")
    random, path = np.random.default_rng(0), folder / "records.csv"
    lines = ["size,rate,word,kind"]
    for number in range(240):
        good = number % 2
        large = random.integers(2)
        word = [f"{ESCAPE}odd", "plain"][random.integers(2)]
        size, rate = 200 * large, 3 * (large if good else 1 - large)
        lines.append(f"{size + random.normal(0, 60)},{rate + random.normal()},{word},{'bg'[good]}")
    path.write_text("\n".join(lines) + "\n")
    content = {
        "goal": "Tell bad records from good ones",
        "data": {"source": str(path), "label": "kind"},
        "requirements": {"target": 0.1, "max_false_positive_rate": 1.0, "benign": ["g"]},
        "augmentation": {"arms": ["marginals"], "amounts": [1], "models": ["knn"],
                         "per_class": 4, "draws": 6},
        "design": {"candidates": ["knn"]},
    }  # fmt: skip
    use = {"kind": "use", "arm": "marginals", "amount": 1.0, "screened": False, "gain": 0.02,
           "ci": [0.01, 0.03], "words": "Use it.", "alone": 0.7, "draws_needed": None}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.augment._row", lambda name, found: {"name": name, **use})
        run = create_run(folder / ".netloop", Spec.model_validate(content), "ask")
        with opened(run, folder / ".netloop") as life_cycle:
            life_cycle.advance(lambda plan: approve_all(plan) if plan.stage != "design" else None)
    return folder


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> RunFolder:
    """A copy of that run, where the command works."""
    shutil.copytree(folder / ".netloop", tmp_path / ".netloop")
    (run,) = RunFolder.all(tmp_path / ".netloop")
    return run


def judged(look: Look, *levels: int) -> list[bool]:
    """Verdicts of somebody who calls wrong what has so many votes against it."""
    return [look.against[place] not in levels for place in look.places]


def pending(run: RunFolder, workspace: Path, decide: Any = lambda plan: None) -> Plan:
    with opened(run, workspace) as life_cycle:
        life_cycle.advance(decide)
        plan = life_cycle.pending()
    assert plan is not None
    return plan


# --- at a terminal -------------------------------------------------------------------------------


def test_a_person_looks_at_twenty_rows(run: RunFolder, tmp_path: Path) -> None:
    look = Look.at(run)
    at = PseudoTerminal(tmp_path, "runs", "look", "last")
    for number, right in enumerate(judged(look, 1, 2, 3), 1):
        at.until(f"Row {number} of 20")
        at.until(LISTENS)
        if number == 1:
            at.say("perhaps")
            at.until("y, n, s or q.")
            at.until(LISTENS)
            at.say("?")
            at.until("plausible traffic")
            at.until(LISTENS)
        at.say("y" if right else "n")
    assert at.end() == 0
    assert "Filter by 1 of 3 votes: 100% of the rows they take are wrong." in at.words
    assert f"netloop runs fork {run.id} --at augmentation/2" in at.words
    assert "augment_rows.votes=1" in at.words
    assert ESCAPE not in at.screen
    assert "nearest real" in at.words
    kept = json.loads((run.path / "look.json").read_bytes())
    assert (kept["version"], kept["votes"], len(kept["rows"])) == (2, 1, 20)
    assert kept["rows"] == look.places


def test_skipped_rows_count_for_nothing(run: RunFolder, tmp_path: Path) -> None:
    at = PseudoTerminal(tmp_path, "runs", "look", "last")
    for number, key in enumerate(("s", "y", "q"), 1):
        at.until(f"Row {number} of 20")
        at.until(LISTENS)
        at.say(key)
    assert at.end() == 0
    kept = json.loads((run.path / "look.json").read_bytes())
    assert kept["rows"] == Look.at(run).places[1:2]
    assert kept["votes"] is None
    assert "there is nothing to do" in at.words


def test_who_judges_nothing_changes_nothing(run: RunFolder, tmp_path: Path) -> None:
    at = PseudoTerminal(tmp_path, "runs", "look", "last")
    at.until("Row 1 of 20")
    at.until(LISTENS)
    at.send(b"\x04")
    assert at.end() == 3
    assert "No row was judged" in at.words
    assert not (run.path / "look.json").exists()


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        (["y", "N", "skip"], [True, False, None]),
        (["YES", "", "quit"], [True, None]),
        (["what", "no", EOFError], [False]),
        ([KeyboardInterrupt], []),
        (["n", "/back"], [False]),
    ],
)
def test_what_may_be_typed(typed: list[Any], right: list[bool | None], screen) -> None:
    def prompt(question: str) -> str:
        word = typed.pop(0)
        if not isinstance(word, str):
            raise word
        return word

    shown = screen(80)
    pairs = [Beside(f"worm{ESCAPE}", ["size", "word"], ["1", ESCAPE], ["2" * 300, "b"])] * 3
    assert ask_all(pairs, shown.console, prompt) == right
    assert ESCAPE not in shown.text
    assert "worm\\x1b[2J" in shown.text
    shown.check_width()


# --- without one ---------------------------------------------------------------------------------


def test_without_a_terminal_it_says_how_to_go_on(netloop: Command, run: RunFolder) -> None:
    ended = netloop("runs", "look", "last")
    assert ended.code == 3
    assert f"netloop runs look {run.id}" in ended.told
    assert f"netloop runs fork {run.id} --at augmentation/2" in ended.told


def test_a_run_without_made_rows(netloop: Command, paused: None) -> None:
    ended = netloop("runs", "look", "last")
    assert ended.code == 2
    assert "has made no synthetic rows" in ended.told


def test_too_few_real_rows_to_doubt_anything(
    netloop: Command, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Look, "against", [])
    ended = netloop("runs", "look", "last")
    assert ended.code == 2
    assert "too few for models to doubt any" in ended.told


# --- what a run does with it ---------------------------------------------------------------------


def test_a_look_is_the_same_each_time(run: RunFolder) -> None:
    one, other = Look.at(run), Look.at(run)
    assert one.places == other.places
    assert one.pairs() == other.pairs()
    votes = [one.against[place] for place in one.places]
    assert votes.count(0) == 10
    assert (one.version, one.before) == (2, None)


def test_a_fork_proposes_the_filter_in_its_next_version(run: RunFolder, tmp_path: Path) -> None:
    look = Look.at(run)
    looked = look.keep(judged(look, 3))
    assert looked.votes is not None
    forked = fork(run, tmp_path / ".netloop", "augmentation")
    waits = Trail(forked).turns["augmentation/2"].plan
    assert waits.steps[0].params["votes"] is None, "as it was recorded"

    def reject(plan: Plan) -> Decision | None:
        if plan.version > 2:
            return None
        return Decision(action="reject", plan=plan.digest(), note="by marginals, filtered")

    plan = pending(forked, tmp_path / ".netloop", reject)
    assert plan.place == "augmentation/3"
    assert plan.steps[0].params["votes"] == looked.votes
    assert plan.steps[0].reasons["votes"] == looked.words


def test_rows_that_were_filtered_so_are_fewer(run: RunFolder, tmp_path: Path) -> None:
    Look.at(run).keep(judged(Look.at(run), 1, 2, 3))
    forked = fork(run, tmp_path / ".netloop", "augmentation")

    def decide(plan: Plan) -> Decision | None:
        if plan.stage == "design":
            return None
        if plan.version == 2:
            edits = {"augment_rows.votes": 1}
            return Decision(action="edit", plan=plan.digest(), edits=edits)
        return Decision(action="approve", plan=plan.digest())

    pending(forked, tmp_path / ".netloop", decide)
    again = Look.at(forked)
    assert (again.version, again.before) == (3, 1)
    assert len(again.against) < len(Look.at(run).against)
    assert again.keep([True] * 20).votes == 1, "what stays is no softer than what was made"


def test_a_look_binds_later_plans_only(run: RunFolder) -> None:
    assert looked_at(run, 3) is None
    look = Look.at(run)
    looked = look.keep([None, *judged(look, 3)[1:]])
    assert looked_at(run, 2) is None
    assert looked_at(run, 3) == looked == Looked.model_validate_json(
        (run.path / "look.json").read_bytes()
    )  # fmt: skip
    assert look.places[0] not in looked.rows


def test_nothing_is_kept_of_no_verdict(run: RunFolder) -> None:
    with pytest.raises(InputError):
        Look.at(run).keep([None, None])
    assert not (run.path / "look.json").exists()


@pytest.mark.parametrize("content", ["", "{}", '{"votes": 4}', "[1]"])
def test_a_damaged_look_says_so(run: RunFolder, content: str) -> None:
    (run.path / "look.json").write_text(content)
    with pytest.raises(NetloopError, match=r"look\.json cannot be read"):
        looked_at(run, 3)
