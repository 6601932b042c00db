"""Features that a person or a language model writes in a small language; no code of theirs runs."""
