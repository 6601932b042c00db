"""The names of all arms, which specs and plans are made of; importing them loads nothing else."""

# Generators that need nothing but the real rows, from the plainest up.
PLAIN = ("duplicates", "jitter", "smote", "mixup", "marginals", "copula")
# Rows that a language model writes, and rows that it judged and wrote anew, round after round.
WRITTEN = "llm"
EVOLVED = "llm_evolved"
ARMS = (*PLAIN, WRITTEN, EVOLVED)
# More rows that are real: what every arm is compared with.
REAL = "more_real_rows"
# Synthetic rows to each real one.
AMOUNTS = (0.25, 1.0, 2.0, 4.0, 8.0)
