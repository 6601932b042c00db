"""A table whose label is a ratio of two columns, neither of which tells anything alone."""

from pathlib import Path

import numpy as np

RATIO = "ratio(sent, received)"


def planted_table(path: Path, rows: int = 600, decides: bool = True, seed: int = 0) -> Path:
    """A CSV of sent, received, noise, service and kind; amounts span six orders.

    The kind is whether more was sent than received, or luck where the ratio decides nothing.
    """
    random = np.random.default_rng(seed)
    lines = ["sent,received,noise,service,kind"]
    for _ in range(rows):
        received, more = 10 ** random.uniform(0, 6), random.random() < 0.5
        sent = received * (1.3 if more else 0.77) * random.uniform(0.9, 1.1)
        service = random.choice(["http", "dns", "Zonk 9"])
        label = more if decides else random.random() < 0.5
        kind = "up" if label else "down"
        lines.append(f"{sent},{received},{random.random()},{service},{kind}")
    path.write_text("\n".join(lines) + "\n")
    return path
