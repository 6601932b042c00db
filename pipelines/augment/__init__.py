"""Synthetic rows: generators, the gate that judges them, and the study that finds what they do."""
