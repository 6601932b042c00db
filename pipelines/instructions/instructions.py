"""Instructions with their tasks: netloop's own set, drawn from a grammar, and sets in files."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from pipelines.errors import InputError
from pipelines.instructions.sentences import grammar_of, sentence
from pipelines.instructions.tasks import NONE, TASKS, Task, task_of
from pipelines.instructions.variations import VARIATIONS

PER_TASK = 800
VARIED = 0.35  # share of the drawn sentences that are not left as the grammar gives them

FORM = 'Each line is an object such as {"instruction": "Is this a botnet?", "output": "BND"}.'


@dataclass(frozen=True)
class Instruction:
    """What a person asks for, and the code of the task that it means."""

    text: str
    task: str


def instruction_set(seed: int = 0, per_task: int = PER_TASK) -> list[Instruction]:
    """``per_task`` different sentences for each task and for none, the same for the same seed.

    The few dozen of each task that were written as a whole are always among them.
    """
    return [
        Instruction(text, task.code)
        for task in (*TASKS, NONE)
        for text in _texts(task, per_task, Random(f"{seed} {task.code}"))  # noqa: S311
    ]


def _texts(task: Task, count: int, random: Random) -> list[str]:
    """No two of them differ in case only."""
    grammar = grammar_of(task)
    texts = {text.lower(): text for text in grammar["whole"]}
    while len(texts) < count:
        text = sentence(grammar, random)
        if random.random() < VARIED:
            text = random.choice(VARIATIONS)(text, random)
        texts.setdefault(text.lower(), text)
    return list(texts.values())


def read_instructions(path: Path) -> list[Instruction]:
    """The instructions of a JSONL file: ``{"instruction": ..., "output": code or name}`` a line.

    Other keys and blank lines are passed over. Raises InputError that names the file and the line.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            found = list(_instructions(lines, path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", FORM) from error
    if not found:
        raise InputError(f"{path} holds no instructions.", FORM)
    return found


def _instructions(lines: Iterable[str], path: Path) -> Iterator[Instruction]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _instruction(line, f"{path}, line {number}")


def _instruction(line: str, where: str) -> Instruction:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where} is not JSON: {error}.", FORM) from error
    if not isinstance(row, dict):
        raise InputError(f"{where} is no JSON object.", FORM)
    text, task = (_text(row, key, where) for key in ("instruction", "output"))
    try:
        return Instruction(text, task_of(task).code)
    except InputError as error:
        raise InputError(f"{where}: {error.message}", error.mend) from error


def _text(row: dict[str, object], key: str, where: str) -> str:
    text = row.get(key)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{where} has no text under {key!r}.", FORM)
    return text.strip()
