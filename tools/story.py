"""A run's events as a story: what each tool found last, what was planned, decided and reviewed."""

from collections.abc import Iterable
from typing import Any

from pipelines.store.events import Event


class Story:
    """A run's events, gathered: each tool's last numbers and artefacts, the plans, the reviews."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.numbers: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, str] = {}
        self.plans: dict[tuple[str, int], dict[str, Any]] = {}
        self.reviews: dict[str, list[str]] = {}
        self.overrides: dict[str, dict[str, str]] = {}
        asked: tuple[str, int] | None = None
        for event in events:
            found = event.data
            if event.type in ("step.finished", "step.reused"):
                self.numbers[found["step"]] = found["numbers"]
                self.artifacts |= found["artifacts"]
            elif event.type == "plan.proposed":
                plan = found["plan"]
                self.plans[plan["stage"], plan["version"]] = {"plan": plan}
            elif event.type == "plan.decided":
                asked = found["stage"], found["version"]
                self.plans[asked]["decision"] = found
                if found.get("override"):  # a kill may have kept its own event from the log
                    gate = self.plans[asked]["plan"]["gate"]
                    why = {"found": gate, "by": found["by"], "reason": found["override"]}
                    self.overrides[found["stage"]] = why
            elif event.type == "question.answered" and asked:
                self.plans[asked]["answer"] = found["answer"]
            elif event.type == "stage.reviewed":
                self.reviews[found["stage"]] = found["findings"]
                self.overrides.pop(found["stage"], None)
            elif event.type == "gate.overridden":
                self.overrides[found["stage"]] = found

    def override(self) -> str:
        """What was accepted although a gate stopped it; empty if nothing was."""
        from pipelines.report.headline import overridden

        return " ".join(
            overridden(found["found"], found["by"], found["reason"])
            for found in self.overrides.values()
        )

    def tested(self) -> dict[str, Any]:
        """The numbers of the tool that read the test side; empty before it has."""
        return self.numbers.get("evaluate_models") or self.numbers.get("study_few_labels") or {}
