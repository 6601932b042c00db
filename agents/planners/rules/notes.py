"""What a person's sentence asks to change, as far as rules can read it."""

import re
from dataclasses import dataclass, field

from pipelines.datasets.fields import BEHAVIOUR, DEFAULT_MASKS

MODEL_WORDS = {
    "majority": r"majority",
    "lookup": r"look-?ups?",
    "knn": r"k-?nn|nearest neighbou?rs?",
    "logistic_regression": r"logistic(?: regression)?",
    "random_forest": r"(?:random )?forests?",
    "hist_gradient_boosting": r"(?:hist(?:ogram)? )?(?:gradient )?boosting|boosted trees",
    "cnn": r"cnn|convolution\w*|neural net\w*|deep (?:model|learning)",
    "traffic_lm": r"(?:traffic[ _-])?(?:language models?|llms?|lms?)(?![ _](?:frozen|random))",
    "traffic_lm_frozen": r"traffic[ _]lm[ _]frozen|frozen (?:base|language model)",
    "traffic_lm_random": r"traffic[ _]lm[ _]random|random (?:base|language model)",
    "baselines": r"baselines?|ladder",
}
METHODS = {
    "lora": r"lora|low[- ]rank",
    "prefix": r"prefix[- ]tuning|a prefix|p-tuning",
    "full": r"(?:full|whole)(?:-| )?(?:fine-?)?tuning|all weights",
}
REFUSE = (
    r"(?:no|not|without|skip|drop|remove|leave out|omit|avoid"
    r"|do(?:n't| not) (?:use|train|want|need))"
)
ONLY = r"(?:only|just|nothing but)"
ADD = r"(?:add|also|include|try|use|with)"
FASTER = (
    r"faster|quick(?:er|ly)?|too (?:slow|long|expensive)|cheaper|shorter|less time"
    r"|(?:fewer|less) epochs"
)
HIDE = r"mask|hide|leave out|ignore"
LONGER = r"longer|more epochs|more training|bigger|larger|better|stronger"
DAYS = {"day": 1, "week": 7, "month": 30}
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
LAST = (
    r"\b(?:only|just|use|keep|take)"
    r"(?: (?:only|just|the|flows?|rows?|packets?|traffic|data|of|from))*"
    r" (?:last|past|latest|newest|most recent) "
    rf"(?:(?P<count>[1-9]\d{{0,3}}|{'|'.join(NUMBERS)}) )?(?P<unit>day|week|month)s?\b"
)
SHARE = r"(\d+(?:\.\d+)?)\s*(%|percent)?"
# Where the words before it leave open what is counted: "reach 10 servers" asks for no share.
SURE_SHARE = r"(?<![\d.])(0?\.\d+|\d+(?:\.\d+)?(?=\s*(?:%|percent)))\s*(%|percent)?"


@dataclass(frozen=True)
class Wishes:
    """A sentence, read. Empty fields mean that it says nothing of the kind."""

    drop: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    add: frozenset[str] = frozenset()
    pace: int = 0
    """-1 for faster, +1 for more thorough."""
    epochs: int | None = None
    about: frozenset[str] = field(default=frozenset(), compare=False)
    """Models that it names, whatever it says of them."""
    method: str | None = None
    """How the traffic language model is tuned."""
    controls: bool | None = None
    """Whether its controls are trained as well."""
    split_by: str | None = None
    test_share: float | None = None
    mask: frozenset[str] = frozenset()
    unmask: frozenset[str] = frozenset()
    keep_rows: bool = False
    last_days: int | None = None
    """Only traffic of so many days before the newest."""
    target: float | None = None
    alarms: float | None = None
    label: str | None = None
    granularity: str | None = None
    words: str = field(default="", compare=False)


def read_note(note: str) -> Wishes:
    """Read a sentence of any length; what the rules do not know is passed over."""
    text = " ".join(note.lower().split())
    drop = {
        name
        for name, word in MODEL_WORDS.items()
        if re.search(rf"\b{REFUSE} (?:the |a |any )?(?:{word})\b", text)
    }
    only = _only(text)
    add = {
        name
        for name, word in MODEL_WORDS.items()
        if re.search(rf"\b{ADD} (?:the |a )?(?:{word})\b", text) and name not in drop | only
    }
    return Wishes(
        drop=frozenset(drop),
        only=frozenset(only),
        add=frozenset(add),
        pace=-1 if re.search(FASTER, text) else 1 if re.search(LONGER, text) else 0,
        epochs=_integer(r"(\d+) epochs?", text),
        about=frozenset(
            n for n, word in MODEL_WORDS.items() if re.search(rf"\b(?:{word})\b", text)
        ),
        method=_method(text),
        controls=_controls(text),
        split_by=_first(
            r"(?:split|separate|divide|hold out)\w* (?:it |them )?(?:by|on) "
            r"(time|capture|flow|row|host|day|site)s?",
            text,
        ),
        test_share=_test_share(text),
        mask=frozenset(_groups(rf"(?<!not )(?<!n't )(?:{HIDE})", text)),
        unmask=frozenset(_groups(rf"(?:unmask|show|keep|do(?:n't| not) (?:{HIDE}))", text)),
        keep_rows=bool(
            re.search(
                r"keep (?:all|every|the) ?(?:rows?|flows?|thing)|no filters?|remove nothing", text
            )
        ),
        last_days=_last_days(text),
        target=_share(rf"{SURE_SHARE}\s*as (?:the |a )?target\b", text)
        or _share(rf"\btarget\D{{0,12}}{SHARE}", text)
        or _share(rf"\b(?:at least|reach)[^\d.]{{0,12}}{SURE_SHARE}", text),
        alarms=_share(rf"{SURE_SHARE}\s*(?:of )?false (?:positives?|alarms?)", text)
        or _share(rf"\bfalse (?:positives?|alarms?)[^\d.]{{0,30}}{SURE_SHARE}", text),
        label=_first(
            r"labels? (?:is |are )?(?:by|from|=) ?(?:the )?(file|folder|labels\.csv)", text
        ),
        granularity=_first(r"(?:per|each|by|every) (packet|flow)\b", text),
        words=note.strip(),
    )


def _only(text: str) -> set[str]:
    names = set()
    for name, word in MODEL_WORDS.items():
        if re.search(rf"\b{ONLY} (?:use |train |try )?(?:the |a )?(?:{word})\b", text):
            names.add(name)
        if re.search(rf"\b(?:{word}) {ONLY}\b", text):
            names.add(name)
    return names


def _method(text: str) -> str | None:
    for name, word in METHODS.items():
        found = re.search(rf"\b(?:{word})\b", text)
        if found and not re.search(rf"\b{REFUSE} (?:the )?(?:{word})\b", text):
            return name
    return None


def _controls(text: str) -> bool | None:
    """Whether the controls are wanted; one control is called frozen or random."""
    if not re.search(r"\bcontrols\b", text):
        return None
    return not re.search(rf"\b{REFUSE} (?:the |its |any )?controls\b", text)


def _groups(verb: str, text: str) -> set[str]:
    words = {
        name: name.replace("_", "[ _]?").removesuffix("s") + "(?:s|es)?"
        for name in (*DEFAULT_MASKS, *BEHAVIOUR)
    }
    return {
        name
        for name, word in words.items()
        if re.search(rf"\b{verb} (?:the |all )?{word}\b(?! (?:masked|hidden))", text)
    }


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found.group(1) if found else None


def _integer(pattern: str, text: str) -> int | None:
    found = _first(pattern, text)
    return int(found) if found else None


def _last_days(text: str) -> int | None:
    """``only the last two weeks`` in days."""
    found = re.search(LAST, text)
    if found is None:
        return None
    count = found.group("count") or "1"
    return (int(count) if count.isdigit() else NUMBERS[count]) * DAYS[found.group("unit")]


def _share(pattern: str, text: str) -> float | None:
    found = re.search(pattern, text)
    if not found:
        return None
    number = float(found.group(1))
    share = number / 100 if found.group(2) or number > 1 else number
    return share if 0 <= share <= 1 else None


def _test_share(text: str) -> float | None:
    share = _share(rf"\bhold(?:ing)? out {SHARE}", text)
    if share is None:
        share = _share(rf"{SHARE}[^.]{{0,12}}\b(?:for |to |in )?(?:the )?test", text)
    if share is None:
        share = _share(rf"\btest\w*\b\D{{0,15}}{SHARE}", text)
    return share if share and share < 1 else None
