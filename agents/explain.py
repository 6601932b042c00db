"""What the verdicts of a run's detector mean, and whether it should be trained anew.

Code counts, rules or a language model put it into words, and a person decides: nothing is trained
here, and of the run only the record of what a language model was asked is written.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import Field

from agents.budget import BudgetSpent
from agents.explained import Explanation, Retrain, command_of, explained, noted
from agents.llm.failures import LlmFailure
from agents.planners.choose import planner_of
from agents.planners.llm import LLMPlanner
from agents.planners.llm.proposals import Said, Words
from agents.spec import Sees, Spec, least
from agents.trail import Trail
from agents.wall.names import Names
from pipelines.errors import InputError
from pipelines.operate.alerts import Reference, alert_facts, read_verdicts
from pipelines.store.files import canonical_json, hash_text
from pipelines.store.run import RunFolder
from pipelines.words import counted
from prompts import load_prompt

WORTH_SAYING = 0.05  # of the test rows that were taken for a class
SHOWN_CLASSES = 20
DIGITS = 4


class ExplainSaid(Said):
    """What a language model makes of the numbers."""

    words: list[Words] = Field(min_length=1, max_length=5)
    retrain: Retrain
    retrain_why: Words


def explain(run: RunFolder, workspace: Path, lines: BinaryIO) -> Explanation:
    """Explain the EVE lines of a run's detector, which are read once and not kept.

    By the run's planner; by rules where that is none that may see numbers, or where it fails.
    Raises InputError if the run has packed no detector, or if no line is a verdict of it.
    """
    trail = Trail(run)
    packed = trail.numbers.get("package_detector")
    if packed is None:
        raise InputError(
            f"Run {run.id} has packed no detector yet.", f"Go on: netloop runs resume {run.id}"
        )
    tested, called_so = _on_test_side(trail, packed["model"])
    tally = read_verdicts(lines, packed["classes"])
    facts = alert_facts(tally, _learned(trail.numbers), tested)
    if not facts.events:
        other = counted(facts.other_records, "other record")
        raise InputError(
            f"No verdict of the detector of run {run.id} is there: {other}, "
            f"{facts.bad_lines:,} unreadable.",
            f"Make some: netloop detect {run.id} SOURCE > eve.json",
        )
    found = explained(run, workspace, facts, packed["benign"], called_so)
    return _by_planner(found, trail, workspace, Names({"class": packed["classes"]}))


def _by_planner(found: Explanation, trail: Trail, workspace: Path, names: Names) -> Explanation:
    """The explanation as the run's planner gives it."""
    planner = planner_of(trail.run, workspace)
    if not isinstance(planner, LLMPlanner):
        return found
    if _sees(trail) == "schema":
        return noted(found, "A language model may see no numbers of this run: the rules explain.")
    try:
        with trail.run.locked():  # the record of its answers has one writer, and is read anew
            planner = planner_of(trail.run, workspace)
            assert isinstance(planner, LLMPlanner), "the settings were those of a model"
            said = _asked(planner, found, trail, names)
    except (LlmFailure, BudgetSpent) as failure:
        return noted(found, f"{failure.message} The rules explain instead. {failure.mend}")
    told = found.model_copy(
        update={
            "by": planner.name,
            "words": [names.restored(line) for line in said.words],
            "retrain": said.retrain,
            "retrain_why": names.restored(said.retrain_why),
            "command": command_of(trail.run, workspace, said.retrain),
        }
    )
    if said.retrain == found.retrain:
        return told
    return noted(told, f"By rules, training anew: {found.retrain}. {found.retrain_why}")


def _asked(planner: LLMPlanner, found: Explanation, trail: Trail, names: Names) -> ExplainSaid:
    """What the model says of these numbers, which it is asked once."""
    seen = _seen(found, names)
    versions = [t.plan.version for t in trail.turns.values() if t.plan.stage == "operation"]
    place = f"operation/{versions[-1]}/explain/{hash_text(canonical_json(seen))[:12]}"
    messages = load_prompt("explain").messages(evidence=seen, default={"retrain": found.retrain})
    return planner.ask(ExplainSaid, messages, place, lambda said: said)


def _seen(found: Explanation, names: Names) -> dict[str, Any]:
    """What a prompt may hold: numbers that were counted, closed words, classes by safe names."""
    classes = [
        {
            **row.model_dump(),
            "name": names.safe("class", name),
            "benign": name in found.benign,
            "called_so": {
                names.safe("class", other): share
                for other, share in found.called_so.get(name, {}).items()
            },
        }
        for name, row in [*found.facts.classes.items()][:SHOWN_CLASSES]
    ]
    counts = found.facts.model_dump(exclude={"first", "last", "classes"})
    seen: dict[str, Any] = json.loads(
        json.dumps({**counts, "classes": classes}),
        parse_float=lambda text: float(f"{float(text):.{DIGITS}g}"),
    )
    return seen


def _sees(trail: Trail) -> Sees:
    """What the spec allows, or the less that the approved requirements do."""
    allowed = Spec.model_validate(trail.record["spec"]).llm_sees
    return least(allowed, trail.numbers.get("record_requirements", {}).get("llm_sees"))


def _learned(numbers: Mapping[str, dict[str, Any]]) -> dict[str, int]:
    """Rows of each class that the detector learned from."""
    sizes = numbers.get("split_rows", {}).get("sizes", {})
    sides = [sizes[side]["classes"] for side in ("train", "validation") if side in sizes]
    sides = sides or [numbers.get("import_rows", {}).get("classes", {})]
    return {name: sum(side.get(name, 0) for side in sides) for name in {*sides[0], *sides[-1]}}


def _on_test_side(trail: Trail, model: str) -> tuple[Reference | None, dict[str, dict[str, float]]]:
    """What the model took for each class there, and what these rows were where they were others.

    None, and nothing, where no test side was read, as in a study of few labels.
    """
    digest = trail.artifacts.get("evaluation")
    if digest is None:
        return None, {}
    read = json.loads((trail.run.store.path(digest) / "evaluation.json").read_bytes())
    classes, score = read["classes"], read["models"][model]
    columns = dict(zip(classes, zip(*score["confusion"], strict=True), strict=True))
    guessed = {name: sum(rows) for name, rows in columns.items()}
    called_so = {
        name: {
            other: count / guessed[name]
            for other, count in zip(classes, rows, strict=True)
            if other != name and count > WORTH_SAYING * guessed[name]
        }
        for name, rows in columns.items()
    }
    return Reference(guessed, score.get("confidence")), {n: o for n, o in called_so.items() if o}
