"""An explanation of a detector's verdicts, by rules: sentences out of numbers."""

import shlex
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.operate.alerts import UNSURE, AlertFacts
from pipelines.operate.drift import Drift
from pipelines.store.run import RunFolder
from pipelines.words import counted

Retrain = Literal["no", "soon", "now"]
Others = dict[str, dict[str, float]]
LEAST_EVENTS = 50  # a share of a fifth is then known to about a tenth
MANY, MOST = 0.2, 0.5  # of the events
MOVED = {
    "none": "as on the test side",
    "some": "somewhat other than on the test side",
    "large": "far from what it was on the test side",
    "too_few": "not to be judged from so few events",
}


class Explanation(BaseModel):
    """The JSON document of ``netloop explain --json``."""

    model_config = ConfigDict(extra="forbid")

    run: str
    by: str = Field(default="rules", description="rules, or the language model")
    words: list[str]
    retrain: Retrain
    retrain_why: str
    command: str | None = Field(description="What would begin it; None if nothing speaks for it")
    notes: list[str] = Field(description="What limits all this")
    benign: list[str] = Field(description="Classes with nothing to report")
    called_so: Others = Field(
        description="Class -> other classes that test rows called so were of, with their share"
    )
    facts: AlertFacts


def explained(
    run: RunFolder, workspace: Path, facts: AlertFacts, benign: list[str], called_so: Others
) -> Explanation:
    """The explanation by rules."""
    retrain, why = judged(facts)
    return Explanation(
        run=run.id,
        words=[
            _in_all(facts),
            _about_most(facts, benign, called_so),
            *_about_drift("mix of classes", facts.mix),
            *_about_drift("distribution of scores", facts.scores),
            *_about_doubt(facts),
        ],
        retrain=retrain,
        retrain_why=why,
        command=command_of(run, workspace, retrain),
        notes=_notes(facts),
        benign=benign,
        called_so=called_so,
        facts=facts,
    )


def noted(found: Explanation, note: str) -> Explanation:
    """The explanation with one note more."""
    return found.model_copy(update={"notes": [*found.notes, note.strip()]})


def command_of(run: RunFolder, workspace: Path, retrain: Retrain) -> str | None:
    """What begins the life cycle anew, from the plan in which later data can be named."""
    place = "" if workspace == Path(".netloop") else f" --workspace {shlex.quote(str(workspace))}"
    return None if retrain == "no" else f"netloop runs fork {run.id} --at requirements{place}"


def judged(facts: AlertFacts) -> tuple[Retrain, str]:
    """Whether to train anew, and what speaks for that, or against it."""
    if facts.events < LEAST_EVENTS:
        return "no", f"{counted(facts.events, 'event is', 'events are')} too few to say."
    doubt = (facts.unsure + facts.unknown) / facts.events - (facts.unsure_in_test or 0)
    mix, scores = (drift and drift.verdict for drift in (facts.mix, facts.scores))
    unsure = f"The share of unsure and unknown events is {doubt:.0%} above that of the test side."
    reasons: list[tuple[bool, Retrain, str]] = [
        (scores == "large", "now", "The scores are far from those of the test side."),
        (doubt >= MOST, "now", unsure),
        (scores == "some", "soon", "The scores have moved away from those of the test side."),
        (doubt >= MANY, "soon", unsure),
        (mix == "large", "soon", "The mix of classes is far from that of the test side; maybe only "
         "because data were gathered in other shares than the network has."),
    ]  # fmt: skip
    found = [(retrain, why) for holds, retrain, why in reasons if holds]
    return found[0] if found else ("no", "Nothing that was measured speaks for it.")


def _in_all(facts: AlertFacts) -> str:
    span = f" in {facts.hours:,.1f} hours" if facts.hours else ""
    share = f" ({facts.alerts / facts.events:.0%})" if facts.alerts else ""
    rate = facts.alerts_per_hour
    pace = f", {rate:,.1f} an hour" if rate else ""
    alerts = counted(facts.alerts, "alert")
    return f"{counted(facts.events, 'event')}{span}: {alerts}{share}{pace}."


def _about_most(facts: AlertFacts, benign: list[str], called_so: Others) -> str:
    """The class of most alerts, or of most events where there are none, and what else it may be."""
    what, all_of = ("alerts", facts.alerts) if facts.alerts else ("events", facts.events)
    name, row = max(facts.classes.items(), key=lambda item: int(getattr(item[1], what)))
    count = row.alerts if facts.alerts else row.events
    said = f"Most {what} are of class {name}: {count:,} of {all_of:,}"
    if facts.alerts_per_hour:
        said += f", {facts.alerts_per_hour * count / all_of:,.1f} an hour"
    if row.share_in_training is not None:
        said += f"; the class was {row.share_in_training:.0%} of what the detector learned from"
    if not benign:
        said = f"No class was named benign, so there are no alerts. {said}"
    others = called_so.get(name, {})
    mixed = ", ".join(f"{share:.0%} were {other}" for other, share in others.items())
    return f"{said}. Of the test rows that were called so, {mixed}." if mixed else f"{said}."


def _about_drift(what: str, drift: Drift | None) -> list[str]:
    return [f"The {what} is {MOVED[drift.verdict]} (PSI {drift.psi:.2f})."] if drift else []


def _about_doubt(facts: AlertFacts) -> list[str]:
    if not facts.unsure and not facts.unknown:
        return []
    unsure, unknown = (count / facts.events for count in (facts.unsure, facts.unknown))
    tested = facts.unsure_in_test
    before = "" if tested is None else f"; on the test side {tested:.0%} were unsure"
    return [f"{unsure:.0%} are unsure (scores below {UNSURE:g}), {unknown:.0%} unknown{before}."]


def _notes(facts: AlertFacts) -> list[str]:
    bad = counted(facts.bad_lines, "line")
    other = counted(facts.other_records, "record is", "records are")
    notes = [
        (facts.mix is None, "The run has no test side that the events could be compared with."),
        (
            facts.mix is not None and facts.scores is None,
            "The run did not record the scores of its test side: only the mix is compared.",
        ),
        (facts.bad_lines > 0, f"{bad} could not be read."),
        (facts.other_records > 0, f"{other} no verdict on a class of this detector."),
    ]
    return [note for holds, note in notes if holds]
