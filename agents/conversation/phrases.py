"""The words that people use about a plan: closed lists, and the beginnings of sentences."""

import difflib

from agents.checkpoints import STAGES

# The only words that approve, beside Enter and the key. A line must be one of them as a whole.
YES = frozenset(
    {
        "approve", "approved", "yes", "y", "yes please", "ok", "okay", "go", "go ahead", "go on",
        "do it", "run it", "proceed", "continue", "looks good", "lgtm",
    }
)  # fmt: skip
LISTS: dict[str, frozenset[str]] = {
    "approve": YES,
    "reject": frozenset({"reject", "no", "n", "nope", "no thanks", "not like this"}),
    "ask": frozenset({"why"}),
    "edit": frozenset({"edit", "change a parameter"}),
    "skip": frozenset({"skip", "skip it", "skip this", "skip this stage", "not needed"}),
    "override": frozenset({"override", "override the audit"}),
    "always": frozenset({"always", "always allow this", "always allow things like this"}),
    "never": frozenset({"never", "never allow this", "never allow things like this"}),
    "look": frozenset({"look", "look at rows", "look at the rows", "show rows"}),
    "quit": frozenset(
        {"quit", "exit", "bye", "leave", "later", "not now", "pause", "stop", "come back later"}
    ),
    "undo": frozenset({"undo", "go back", "back", "undo that"}),
    "help": frozenset({"help", "?"}),
    "plan": frozenset({"plan", "show the plan", "show the plan again"}),
    "diff": frozenset({"diff", "show the difference", "show what changed"}),
    "status": frozenset({"status", "show the status"}),
    "cost": frozenset({"cost", "costs", "budget", "show the cost"}),
}
# Words of their own that may be followed by what they are about.
FIRST_WORDS = {"edit": "edit", "reject": "reject", "override": "override"}

# Slash commands: what each means, and what the help says of it.
HELP = {
    "plan": ("plan", "show the plan again"),
    "why": ("ask", "ask about the plan; nothing is decided"),
    "diff": ("diff", "what changed since the version before"),
    "edit": ("edit", "change a parameter; the new version needs its own yes"),
    "approve": ("approve", "run exactly this plan"),
    "reject": ("reject", "say what should be different"),
    "skip": ("skip", "leave this stage out"),
    "look": ("look", "rows that the filters would move"),
    "override": ("override", "go on against the audit, with a reason"),
    "always": ("always", "allow things like this from now on"),
    "never": ("never", "refuse things like this from now on"),
    "status": ("status", "where the run stands"),
    "cost": ("cost", "what was spent, and what is left"),
    "undo": ("undo", "go back to the plan before, in a new run"),
    "help": ("help", "this list"),
    "quit": ("quit", "leave; the run can be taken up on another day"),
}
SLASH = {**{name: kind for name, (kind, _) in HELP.items()}, "exit": "quit"}

SKIP_STAGE = (
    r"(?:please )?(?:skip|leave out|omit|no|without) (?:the )?"
    rf"({'|'.join(STAGES)})(?: stage)?(?: please)?"
)
SET_TO = r"(?:please )?(?:set|change|put|make) (?:the )?([\w#. ]+?) (?:to|=|equal to) (.+)"

_EXPLAIN = r"explain|tell|say|show|describe|give"
QUESTION = (
    r"(?:why|what|how|which|who|when|where|is|are|does|do (?:i|we|you|they)\b|did|can|could|would"
    rf"|should|will|{_EXPLAIN})\b"
)
# "Can you make it faster?" asks for another plan; "can you explain the split?" does not.
POLITE_CHANGE = (
    rf"(?:(?:can|could|would|will) (?:you|we) (?:please )?(?!{_EXPLAIN}|be\b|see\b)"
    r"|how about\b|what if (?:you|we)\b)"
)
ASKED_FOR = {
    "cost": r"(?:what|how much) (?:did|does|has|have|was|is|will) (?:it|this|that|the run|we|i) "
    r"(?:cost|spent?|cost so far|spent so far)|how much is left(?: of the budget)?|what is left"
    r"(?: of the budget)?",
    "status": r"where are we|how far are (?:we|you)|how (?:does it|do we) stand|what(?: is|'s) the "
    r"status|where does the run stand",
    "diff": r"what(?: has| is)? (?:changed|different|new)",
    "help": r"what (?:can|could|may|should) i (?:say|type|do)(?: here| now)?",
    "plan": r"(?:what|show me|show) (?:is )?the plan(?: again)?",
    "look": r"(?:can i see|show me|let me see) (?:the|some) rows",
}
CHANGE = (
    r"(?:please )?(?:use|only|just|no|not|without|drop|remove|add|try|make|split|mask|unmask|hide"
    r"|keep|train|set|change|replace|take|skip|leave|omit|avoid|exclude|include|hold|prefer|rather"
    r"|do(?:n't| not)|let(?:'s| us)|i (?:want|would|need|prefer)|i'd|we (?:want|need|should)"
    r"|it should|there should|too|instead|with|start|stop|reduce|increase|lower|raise|limit)\b"
)
COMPARED = (
    r"\b(?:faster|slower|quicker|smaller|bigger|larger|fewer|less|more|shorter|longer|cheaper"
    r"|better|instead|rather than|too (?:much|many|long|slow|few|small|big|expensive))\b"
)


def nearest_command(line: str) -> str:
    """The slash command that was probably meant by one that there is not."""
    name = line[1:].partition(" ")[0].lower()
    return difflib.get_close_matches(name, SLASH, n=1, cutoff=0.0)[0]
