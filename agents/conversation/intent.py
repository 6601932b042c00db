"""What a person wants who says something about a plan.

Rules read it first. A language model may be asked about what they leave unclear, but what it says
can start nothing and permit nothing: an approval is only ever one of the words in ``phrases.YES``.
"""

import re
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.checkpoints import STAGES, Plan, Stage
from agents.conversation import phrases
from agents.planners.rules.notes import Wishes, read_note

Kind = Literal[
    "approve", "reject", "ask", "edit", "skip", "override", "always", "never", "look",
    "plan", "diff", "status", "cost", "undo", "help", "quit", "wish", "unclear",
]  # fmt: skip

# Nothing runs, is left out or is allowed by any of these: a changed plan needs its own yes.
FROM_A_MODEL = frozenset({"reject", "ask", "edit", "plan", "diff", "status", "cost", "help"})

KEYS: dict[str, Kind] = {
    "a": "approve", "e": "edit", "w": "ask", "r": "reject", "s": "skip", "o": "override",
    "l": "look", "d": "diff", "q": "quit", "A": "always", "N": "never", "?": "help",
}  # fmt: skip
_WITH_WORDS = frozenset({"edit", "ask", "reject", "skip", "override"})
_OF_A_STEP = frozenset({"always", "never"})
# What a sentence may wish of one stage alone: fields of Wishes.
_OF_STAGE: dict[Stage, tuple[str, ...]] = {
    "requirements": ("target", "alarms", "label", "granularity"),
    "cleaning": ("split_by", "test_share", "mask", "unmask", "keep_rows", "last_days"),
    "design": ("drop", "only", "add", "epochs", "method", "controls"),
}


class Intent(BaseModel):
    """One thing that a person said."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    words: str = Field(default="", description="The reason, the question, the change, the step")
    edits: dict[str, Any] = Field(
        default_factory=dict, description="'tool.parameter' -> value, where a model read a change"
    )
    stage: Stage | None = Field(default=None, description="Which other stage a wish is about")


# A sentence and the shape of the plan that it is about -> what is meant.
Understand = Callable[[str, str], Intent]


def understood(text: str, plan: Plan, understand: Understand | None) -> Intent:
    """What rules read in ``text``; what they leave unclear, as ``understand`` reads it.

    Raises what ``understand`` raises.
    """
    found = read_intent(text, plan)
    if found.kind != "unclear" or found.words.startswith("/") or understand is None:
        return found
    said = understand(found.words, plan_shape(plan))
    return said if said.kind in FROM_A_MODEL else found


def read_intent(text: str, plan: Plan) -> Intent:
    """What a line means, by rules alone: a key, a slash command, a closed list, a sentence."""
    line = text.strip()
    if line.startswith("/"):
        return _command(line)
    for read in (_key, _listed, _stage, _value, _question, _change):
        found = read(line, plan)
        if found is not None:
            return found
    return Intent(kind="unclear", words=line)


def plan_shape(plan: Plan) -> str:
    """The stage, tools and parameter names of a plan; no value of it, which data may have named."""
    steps = [f"{step.tool}({', '.join(step.params)})" for step in plan.steps]
    return f"stage {plan.stage}, version {plan.version}; steps: {', '.join(steps) or 'none'}"


def plain(line: str) -> str:
    """A line in small letters without the punctuation that ends it; a question mark stays."""
    return " ".join(line.lower().split()).strip(" .!,;:")


def _command(line: str) -> Intent:
    name, _, rest = line[1:].partition(" ")
    kind = phrases.SLASH.get(name.lower())
    if kind is None:
        return Intent(kind="unclear", words=line)
    return Intent.model_validate({"kind": kind, "words": rest.strip()})


def _key(line: str, plan: Plan) -> Intent | None:
    """A single letter, alone or with its words; Enter is approve."""
    letter, _, rest = line.partition(" ")
    kind = KEYS.get(letter) or KEYS.get(letter.lower()) if line else "approve"
    if kind is None or (rest and kind not in _WITH_WORDS | _OF_A_STEP):
        return None
    if rest and kind in _OF_A_STEP and rest not in {step.tool for step in plan.steps}:
        return None  # "A few more epochs"
    return Intent(kind=kind, words=rest.strip() if rest else "")


def _listed(line: str, plan: Plan) -> Intent | None:
    """A line that is one of the closed lists, or begins with a command's own word."""
    words = plain(line)
    for kind, known in phrases.LISTS.items():
        if words in known:
            said = words if kind == "approve" else ""
            return Intent.model_validate({"kind": kind, "words": said})
    first, _, rest = line.partition(" ")
    named = phrases.FIRST_WORDS.get(first.lower().strip(",:"))
    return Intent.model_validate({"kind": named, "words": rest.strip()}) if named and rest else None


def _stage(line: str, plan: Plan) -> Intent | None:
    """A stage to leave out, or a wish that is about a later stage than this one."""
    found = re.fullmatch(phrases.SKIP_STAGE, plain(line))
    if found:
        stage: Stage = next(name for name in STAGES if name == found.group(1))
        kind: Kind = "skip" if stage == plan.stage else "wish"
        return Intent(kind=kind, words=line, stage=None if stage == plan.stage else stage)
    about = None if line.endswith("?") else _only_stage(read_note(line))
    if about is not None and STAGES.index(plan.stage) < STAGES.index(about):
        return Intent(kind="wish", words=line, stage=about)
    return None


def _only_stage(wishes: Wishes) -> Stage | None:
    """The one stage that all wishes are about."""
    about: list[Stage] = [
        stage
        for stage, names in _OF_STAGE.items()
        if any(getattr(wishes, name) not in (None, False, frozenset()) for name in names)
    ]
    return about[0] if len(about) == 1 else None


def _value(line: str, plan: Plan) -> Intent | None:
    """``parameter=value``, or "set test to 0.3" where the plan has a parameter of that name."""
    if re.match(r"[\w#.]+\s*=(?!=)", line):
        return Intent(kind="edit", words=line)
    found = re.fullmatch(phrases.SET_TO, line, re.IGNORECASE)
    if found is None:
        return None
    name = found.group(1).strip().replace(" ", "_")
    known = {parameter for step in plan.steps for parameter in step.params}
    if name.rpartition(".")[2].lower() not in known:
        return None
    return Intent(kind="edit", words=f"{name.lower()}={found.group(2).strip()}")


def _question(line: str, plan: Plan) -> Intent | None:
    words = plain(line)
    for kind, pattern in phrases.ASKED_FOR.items():
        if re.fullmatch(pattern, words.rstrip("?").strip()):
            return Intent.model_validate({"kind": kind})
    if re.match(phrases.POLITE_CHANGE, words):
        return Intent(kind="reject", words=line)
    if line.endswith("?") or re.match(phrases.QUESTION, words):
        return Intent(kind="ask", words=line)
    return None


def _change(line: str, plan: Plan) -> Intent | None:
    """A request to have the plan otherwise: the reason of a rejection."""
    words = plain(line)
    wishes = read_note(line) != Wishes()
    if wishes or re.match(phrases.CHANGE, words) or re.search(phrases.COMPARED, words):
        return Intent(kind="reject", words=line)
    return None
