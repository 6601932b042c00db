"""What a person asks for in a sentence, and the task that it means."""

from pipelines.instructions.instructions import Instruction, instruction_set, read_instructions
from pipelines.instructions.tasks import NONE, TASKS, Task, task_of

__all__ = [
    "NONE",
    "TASKS",
    "Instruction",
    "Task",
    "instruction_set",
    "read_instructions",
    "task_of",
]
