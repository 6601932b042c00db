"""A model that writes rows of a known quality: what a study of synthetic rows has to find out.

    with openai_double(RowsDouble("perfect", held_back)) as server: ...

``held_back`` are real rows that nobody else sees, a list of {column: cell} for each class. A model
is asked in the words of prompts/rows.v1.yaml and answers in their form.
"""

import json
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

Row = Mapping[str, Any]
BYTES_A_TOKEN = 4
KINDS = ("perfect", "flipped 20 %", "flipped 40 %", "marginals", "copies")


class RowsDouble:
    """Answers with held-back rows, with rows of another class at times, or with worse."""

    def __init__(self, kind: str, held_back: Mapping[str, Sequence[Row]], seed: int = 0) -> None:
        assert kind in KINDS, kind
        self.kind = kind
        self.held_back = held_back
        self.random = Random(seed)
        self.asked = 0
        self.answered = 0
        self.read = 0
        self.said = 0

    def __call__(self, request: Mapping[str, Any]) -> str:
        """The answer to one request, as JSON."""
        self.asked += 1
        words = "\n".join(str(message["content"]) for message in request["messages"])
        self.read += len(words.encode())
        given = {
            name: json.loads(re.findall(rf"^{name}: (\[.*)$", words, re.MULTILINE)[-1])
            for name in ("Columns", "Examples", "Drafts")
        }
        label = re.findall(r"^The class: (.+)$", words, re.MULTILINE)[-1].strip().strip('"')
        count = int(re.findall(r"^Count: (\d+)", words, re.MULTILINE)[-1])
        names = [column["name"] for column in given["Columns"]]
        rows = self.rows(label, names, given["Examples"], count)
        self.answered += len(rows)
        answer = json.dumps({"rows": rows})
        self.said += len(answer)
        return answer

    def cost(self) -> str:
        """What was asked and answered, in words. Tokens are four bytes each."""
        return (
            f"{self.asked:,} requests, {self.read / BYTES_A_TOKEN:,.0f} tokens in, "
            f"{self.said / BYTES_A_TOKEN:,.0f} out, {self.answered:,} rows"
        )

    def rows(
        self, label: str, names: Sequence[str], examples: Sequence[list[Any]], count: int
    ) -> list[list[Any]]:
        """Cells of ``count`` rows in the order of ``names``."""
        if self.kind == "copies":
            return [self.random.choice(examples) for _ in range(count)] if examples else []
        if self.kind == "marginals":
            pool = self.held_back[label]
            return [[self.random.choice(pool)[name] for name in names] for _ in range(count)]
        others = [row for name, rows in self.held_back.items() if name != label for row in rows]
        wrong = {"perfect": 0.0, "flipped 20 %": 0.2, "flipped 40 %": 0.4}[self.kind]
        found = []
        for _ in range(count):
            pool = others if self.random.random() < wrong else self.held_back[label]
            row = self.random.choice(pool)
            found.append([row[name] for name in names])
        return found
