"""``netloop runs look``: at a terminal, without one, and what a run does with it."""

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from command_line import Command
from pseudo_terminal import LISTENS, PseudoTerminal

from agents.checkpoints import Decision, Plan
from agents.life_cycle import create_run, opened
from agents.look import Look, Looked, looked_at, looks_at
from agents.planners.base import Evidence
from agents.planners.rules import RulePlanner
from agents.policy import approve_all
from agents.retrace import fork, replay
from agents.spec import Spec
from agents.terminal.look_command import ask_all, tell
from agents.terminal.plan_view import render_plan
from agents.trail import Trail
from agents.wall.view import names_of, view
from pipelines.augment.gate.look import Beside, Shown, recommend_votes
from pipelines.augment.judged import Judged
from pipelines.errors import InputError, NetloopError
from pipelines.store.rows import read_rows
from pipelines.store.run import RunFolder

ESCAPE = "\x1b[2J"


def use_marginals(name: str, found: object) -> dict[str, Any]:
    """A verdict that no study of such rows would come to."""
    return {"name": name, "kind": "use", "arm": "marginals", "amount": 1.0, "screened": False,
            "gain": 0.02, "ci": [0.01, 0.03], "words": "Use it.", "alone": 0.7,
            "draws_needed": None}  # fmt: skip


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.augment._row", use_marginals)
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
    assert "say there: r as I judged" in at.words
    assert ESCAPE not in at.screen
    assert "nearest real" in at.words
    (kept,) = json.loads((run.path / "look.json").read_bytes())
    assert (kept["version"], kept["votes"], len(kept["rows"])) == (2, 1, 20)
    assert (kept["rows"], kept["by_lot"]) == look.shown


def test_skipped_rows_count_for_nothing(run: RunFolder, tmp_path: Path) -> None:
    places = Look.at(run).places
    at = PseudoTerminal(tmp_path, "runs", "look", "last")
    for number, key in enumerate(("s", "y", "q"), 1):
        at.until(f"Row {number} of 20")
        at.until(LISTENS)
        at.say(key)
    assert at.end() == 0
    (kept,) = json.loads((run.path / "look.json").read_bytes())
    assert kept["rows"] == places[1:2]
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
    lot = [one.against[place] for place, lot in zip(*one.shown, strict=True) if lot]
    assert (len(lot), lot.count(0)) == (10, 4)
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


def test_a_language_model_would_be_told_how_many_rows_were_wrong(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how many were judged, and how they are filtered; nothing else of the look."""
    look, told = Look.at(run), []
    looked = look.keep(said_by_a_person(look))
    propose = RulePlanner.propose

    def listen(self: RulePlanner, evidence: Evidence, *others: Any) -> Plan:
        told.append(view(evidence, "raw", names_of(evidence), tmp_path))
        return propose(self, evidence, *others)

    monkeypatch.setattr(RulePlanner, "propose", listen)
    again(run, tmp_path / ".netloop")
    by_stage = [json.dumps(shown) for shown in told]
    assert f'"look": {json.dumps({"votes": looked.votes, "rows": 20, "wrong": 7})}' in by_stage[0]
    assert looked.judged not in by_stage[0] and looked.verdicts not in by_stage[0]


def said_by_a_person(look: Look) -> list[bool]:
    """Verdicts that have nothing to do with what models doubt: every third row is wrong."""
    return [number % 3 > 0 for number in range(len(look.places))]


def test_what_a_person_called_wrong_is_left_out_by_the_way_that_is_printed(
    run: RunFolder, tmp_path: Path, screen
) -> None:
    """At a terminal, word by word."""
    look = Look.at(run)
    looked = look.keep(said_by_a_person(look))
    shown = screen(100)
    tell(look, looked, shown.console)
    assert "Left out with all that equal them: 7 rows that you called wrong." in shown.text
    (fork_it,) = re.findall(r"^  netloop (.+)$", shown.text, re.MULTILINE)
    (answer,) = re.findall(r"^and say there: (.+)$", shown.text, re.MULTILINE)
    at = PseudoTerminal(tmp_path, *fork_it.split())
    at.until("Stage 3/5: augmentation, version 2")
    at.until(LISTENS)
    at.say(answer)
    at.until("Stage 3/5: augmentation, version 3")
    at.until(LISTENS)
    assert looked.judged[:12] in at.words and looked.verdicts in at.words
    at.say("")  # approved
    at.until("Stage 4/5")
    at.until(LISTENS)
    at.say("q")
    assert at.end() == 3
    forked = RunFolder.all(tmp_path / ".netloop")[-1]
    before, after = labelled(run, "made"), labelled(forked, "synthetic")
    wrong = {before[place] for place, yes in zip(look.places, looked.right, strict=True) if not yes}
    right = {before[place] for place, yes in zip(look.places, looked.right, strict=True) if yes}
    assert len(wrong) == 7 and not wrong & {*after}
    assert right - wrong <= {*after}, "whatever models doubt"


def labelled(run: RunFolder, name: str) -> list[str]:
    """The rows of an artefact of a run, in words."""
    path = run.store.path(Trail(run).artifacts[name])
    return [repr(row) for row in read_rows(path).to_pylist()]


def again(run: RunFolder, workspace: Path, *, after: str = "design") -> RunFolder:
    """A fork in which the plan is refused, so that its next version heeds the look, and approved,
    up to the plan of another stage."""
    forked = fork(run, workspace, "augmentation")
    latest = Trail(forked).turns
    newest = max(plan.plan.version for plan in latest.values() if plan.plan.stage == "augmentation")

    def decide(plan: Plan) -> Decision | None:
        if plan.stage == after:
            return None
        if plan.version == newest:
            return Decision(action="reject", plan=plan.digest(), note="as I judged")
        return Decision(action="approve", plan=plan.digest())

    pending(forked, workspace, decide)
    return forked


def test_a_later_look_shows_other_rows_and_keeps_what_was_said_before(
    run: RunFolder, tmp_path: Path
) -> None:
    first = Look.at(run)
    said = first.keep(said_by_a_person(first))
    forked = again(run, tmp_path / ".netloop")
    second = Look.at(forked)
    assert (second.version, second.params["judged"]) == (3, said.judged)
    assert second.against[first.places[1]] == 0, "nobody doubts what a person judged"
    rows = labelled(forked, "made")
    assert rows == labelled(run, "made")
    assert not {rows[n] for n in first.places} & {rows[n] for n in second.places}
    later = second.keep([True] * 20)
    judged = Judged.read(forked.store.path(later.judged))
    assert (judged.right.num_rows, judged.wrong.num_rows) == (13 + 20, 7)


def test_a_second_look_at_the_same_rows_shows_others_and_adds_up(run: RunFolder) -> None:
    first = Look.at(run)
    said = first.keep(said_by_a_person(first)[:15])
    second = Look.at(run)
    assert not {*said.rows} & {*second.places}
    assert [second.against[place] for place in said.rows] == said.against, "no plan heeded it yet"
    both = second.keep([True, None, False])
    assert both.rows == [*said.rows, second.places[0], second.places[2]]
    assert both.by_lot == [*said.by_lot, second.shown.by_lot[0], second.shown.by_lot[2]]
    assert both.right == [*said.right, True, False]
    judged = Judged.read(run.store.path(both.judged))
    assert (judged.right.num_rows, judged.wrong.num_rows) == (10 + 1, 5 + 1)
    assert looked_at(run, 3) == both


def test_verdicts_of_an_earlier_look_count_when_a_later_one_says_how_to_filter(
    run: RunFolder, tmp_path: Path
) -> None:
    """In a run whose plan heeded them: models doubt none of the rows that were judged."""
    first = Look.at(run)
    assert first.keep(judged(first, 1, 2, 3)).votes == 1
    forked = again(run, tmp_path / ".netloop")
    second = Look.at(forked)
    assert second.before == 1
    lot = [p for p, by_lot in zip(*second.shown, strict=True) if by_lot and second.against[p] == 3]
    alone = recommend_votes(second.against, Shown(lot[:2], [True] * 2), [True] * 2, second.before)
    assert alone.votes is None
    both = second.keep([True if place in lot[:2] else None for place in second.places])
    assert both.votes == 1, "as many were called wrong before"


def test_rows_that_were_skipped_come_back_last(run: RunFolder) -> None:
    """Who could not tell is not asked the same again while there are others."""
    first = Look.at(run)
    kept = first.keep([True, *[None] * 19])
    assert kept.skipped == sorted(first.places[1:])
    for _ in range(4):
        later = Look.at(run)
        assert not {*later.places} & {*first.places}
        later.keep([True] * 20)
    assert {*Look.at(run).places} == {*first.places[1:]}
    assert Look.at(run).keep([True] * 19).skipped == [], "they are judged now"
    with pytest.raises(InputError, match="has been judged"):
        Look.at(run)


def test_of_equal_rows_one_is_shown(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of it holds for all."""
    look = Look.at(run)
    train, made = look.tables
    twice = pa.concat_tables([made.slice(0, 30)] * 3)
    monkeypatch.setattr(Look, "tables", (train, twice))
    places = Look.at(run).places
    assert len({place % 30 for place in places}) == len(places) == 20


def test_a_look_of_when_lot_picked_every_row(run: RunFolder, tmp_path: Path) -> None:
    Look.at(run).keep(judged(Look.at(run), 3))
    path = run.path / "look.json"
    (kept,) = json.loads(path.read_bytes())
    del kept["by_lot"], kept["skipped"]
    path.write_text(json.dumps([kept]))
    (looked,) = looks_at(run)
    assert (looked.by_lot, looked.skipped) == ([True] * 20, [])
    both = Look.at(run).keep([True] * 20)
    assert both.by_lot[:20] == [True] * 20 and sum(both.by_lot[20:]) == 10


def test_rows_that_were_all_judged(run: RunFolder) -> None:
    for _ in range(5):
        Look.at(run).keep([True] * 20)
    with pytest.raises(InputError, match="has been judged"):
        Look.at(run)


@pytest.mark.parametrize(("stage", "version", "kept"), [
    ("cleaning", 1, []), ("augmentation", 1, []), ("augmentation", 2, [2]),
    ("augmentation", 3, [2, 3]), ("design", 1, [2, 3]),
])  # fmt: skip
def test_a_fork_heeds_looks_at_rows_that_it_makes_only(
    run: RunFolder, tmp_path: Path, stage: Any, version: int, kept: list[int]
) -> None:
    """Before them the train side may become another."""
    workspace = tmp_path / ".netloop"
    Look.at(run).keep(said_by_a_person(Look.at(run)))
    source = again(run, workspace)
    Look.at(source).keep([True] * 20)
    forked = fork(source, workspace, stage, version)
    assert [looked.version for looked in looks_at(forked)] == kept


@pytest.mark.parametrize("fault", ["old", "lost"])
def test_a_look_that_cannot_be_taken_over_leaves_no_run_behind(
    run: RunFolder, tmp_path: Path, fault: str
) -> None:
    looked = Look.at(run).keep([True] * 20)
    if fault == "old":
        (run.path / "look.json").write_text('{"version": 2}')
    else:
        shutil.rmtree(run.store.path(looked.judged))
    for retrace in (partial(fork, stage="augmentation"), replay):
        with pytest.raises(NetloopError):
            retrace(run, tmp_path / ".netloop")
    assert [found.id for found in RunFolder.all(tmp_path / ".netloop")] == [run.id]


def test_a_full_disk_while_a_look_is_taken_over_leaves_no_run_behind(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Look.at(run).keep([True] * 20)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agents.look.take_over_artefact", full)
    for retrace in (partial(fork, stage="augmentation"), replay):
        with pytest.raises(OSError, match="No space"):
            retrace(run, tmp_path / ".netloop")
    assert [found.id for found in RunFolder.all(tmp_path / ".netloop")] == [run.id]


def test_what_else_a_person_had_set_stays(run: RunFolder, tmp_path: Path) -> None:
    workspace = tmp_path / ".netloop"
    Look.at(run).keep(said_by_a_person(Look.at(run)))
    forked = fork(run, workspace, "augmentation")

    def decide(plan: Plan) -> Decision | None:
        if plan.version == 2:
            edits = {"augment_rows.partial": True, "augment_rows.amount": 2.0}
            return Decision(action="edit", plan=plan.digest(), edits=edits)
        if plan.version == 3:
            return Decision(action="reject", plan=plan.digest(), note="As I judged.")
        return None

    params = pending(forked, workspace, decide).steps[0].params
    assert (params["partial"], params["amount"], bool(params["judged"])) == (True, 2.0, True)


@pytest.mark.parametrize(
    "note", ["none: I looked at them and they are bad", "no rows, see my verdict", "drop them"]
)
def test_who_refuses_rows_gets_none_whatever_the_words(
    run: RunFolder, tmp_path: Path, note: str
) -> None:
    Look.at(run).keep(said_by_a_person(Look.at(run)))
    forked = fork(run, tmp_path / ".netloop", "augmentation")

    def decide(plan: Plan) -> Decision | None:
        reject = Decision(action="reject", plan=plan.digest(), note=note)
        return reject if plan.version == 2 else None

    plan = pending(forked, tmp_path / ".netloop", decide)
    assert (plan.version, plan.steps) == (3, [])


def test_a_run_that_heeded_looks_can_be_repeated(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each plan heeds the look before it, in a run that has none of the artefacts."""
    monkeypatch.setattr("tools.augment._row", use_marginals)
    workspace = tmp_path / ".netloop"
    first = Look.at(run)
    first.keep(said_by_a_person(first))
    forked = again(run, workspace)
    second = Look.at(forked)
    second.keep([True] * 20)
    report = replay(forked, workspace)
    assert report.equal, report.first


def test_a_plan_names_what_was_judged_in_brief(run: RunFolder, tmp_path: Path, screen) -> None:
    look = Look.at(run)
    looked = look.keep(said_by_a_person(look))
    plan = Trail(again(run, tmp_path / ".netloop")).turns["augmentation/3"].plan
    assert plan.steps[0].reasons["judged"] == ("of 20 rows looked at 7 could not be of their class")
    shown = screen(100)
    render_plan(plan, shown.console)
    assert f"judged {looked.judged[:12]} " in " ".join(shown.text.split())


@pytest.mark.parametrize("value", ["abc", "0" * 63, "x" * 64])
def test_what_is_no_artefact_cannot_be_judged(netloop: Command, run: RunFolder, value: str) -> None:
    netloop("runs", "fork", run.id, "--at", "augmentation/2")
    ended = netloop("runs", "edit", "last", f"augment_rows.judged={value}")
    assert ended.code == 2
    assert "judged" in ended.told


def test_rows_that_a_filter_left_out_are_shown_too(run: RunFolder, tmp_path: Path) -> None:
    """Else nobody could say that it takes too many."""
    Look.at(run).keep([True] + [None] * 19)
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
    assert again.against == Look.at(run).against
    looked = again.keep([True] * 20)
    assert looked.votes is None, "all that it took was right"
    assert [one.version for one in looks_at(forked)] == [2, 3], "the earlier look is on record"
    assert looked_at(forked, 3).version == 2 and looked_at(forked, 4) == looked


def test_a_look_binds_later_plans_only(run: RunFolder) -> None:
    assert looked_at(run, 3) is None
    look = Look.at(run)
    looked = look.keep([None, *judged(look, 3)[1:]])
    assert looked_at(run, 2) is None
    assert looked_at(run, 3) == looked
    (kept,) = json.loads((run.path / "look.json").read_bytes())
    assert Looked.model_validate(kept) == looked
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
