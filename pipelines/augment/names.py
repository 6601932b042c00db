"""The names of all arms, which specs and plans are made of; importing them loads nothing else."""

from typing import Literal

# Generators that need nothing but the real rows, from the plainest up.
PLAIN = ("duplicates", "jitter", "smote", "mixup", "marginals", "copula")
# Rows that a language model writes, and rows that it judged and wrote anew, round after round.
WRITTEN = "llm"
EVOLVED = "llm_evolved"
ARMS = (*PLAIN, WRITTEN, EVOLVED)
# How often an author writes: once, or once and then anew.
ROUNDS = {WRITTEN: 1, EVOLVED: 3}
# Rows that one request asks for, all of one class.
BATCH = 20
# More rows that are real: what every arm is compared with.
REAL = "more_real_rows"
# Of three models, how many must contradict a label.
Votes = Literal[1, 2, 3]
VOTES: tuple[Votes, ...] = (1, 2, 3)
DOUBTS: Votes = 2
