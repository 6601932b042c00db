"""How fast each tool is: measured here, or, before that, on the machine of the authors."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.store.files import write_atomic

# Seconds per unit of work on two cores of a 2023 server; a unit is what the tool's estimate counts.
DEFAULTS: dict[str, float] = {
    "import_rows": 5e-8,  # a byte of captures or table
    "propose_filters": 2e-3,  # a row of a thorough look
    "clean_rows": 3e-6,  # a row
    "split_rows": 3e-6,  # a row
    "audit_shortcuts": 5e-6,  # a row
    "train_baselines": 8e-4,  # a row and model
    "train_cnn": 2e-4,  # a row and epoch
    "try_traffic_lm": 30.0,  # a try
    "train_traffic_lm": 1e-4,  # a token of training and a million weights
    "derive_features": 2e-4,  # a row and fit
    "explore_arms": 0.4,  # a fit on a few rows and its test
    "augment_rows": 1e-3,  # a row
    "study_few_labels": 0.5,  # a fit on a few rows and its test
    "evaluate_models": 1e-4,  # a row and model
    "stress_model": 2e-3,  # a test row
    "compare_later": 2e-3,  # a row
    "detect_traffic": 2e-7,  # a byte of captures
    "make_lab": 12.0,  # a lab
}

# Below this a call is mostly what any call costs, however little it does.
SHORTEST_SECONDS = 5.0


@dataclass
class Rates:
    """Seconds per unit of work, by tool, remembered in a file of the workspace."""

    path: Path | None = None
    measured: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, workspace: Path) -> "Rates":
        """The rates that earlier runs of this workspace measured; none if the file is damaged."""
        path = workspace / "rates.json"
        try:
            found = json.loads(path.read_text())
            measured = {str(name): float(rate) for name, rate in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            measured = {}
        return cls(path, measured)

    def minutes(self, tool: str, work: float) -> float:
        """Expected minutes for ``work`` units of ``tool``."""
        return work * self.measured.get(tool, DEFAULTS.get(tool, 0.0)) / 60

    def record(self, tool: str, work: float, seconds: float) -> None:
        """Remember what a call took; what is over soon says little about what takes long."""
        if work > 0 and seconds >= SHORTEST_SECONDS:
            self.keep(tool, seconds / work)

    def keep(self, tool: str, rate: float) -> None:
        """Remember the seconds per unit of ``tool``, measured apart from what any call costs."""
        self.measured[tool] = rate
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, json.dumps(self.measured, indent=2, sort_keys=True) + "\n")
