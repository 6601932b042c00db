"""Requirements: what is to be told apart, in which data, how well."""

from typing import Any

from agents.stages.base import StageRules
from agents.state import Review, State
from agents.workbench import Workbench


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    data = bench.spec.data
    params = {"source": data.source, "label": data.label, "columns": data.columns}
    facts = {"source": bench.look("inspect_source", params, state)}
    if data.test is not None:
        facts["test"] = bench.look("inspect_source", {**params, "source": data.test}, state)
    return facts


def _review(bench: Workbench, state: State) -> Review:
    numbers = state["numbers"]["import_rows"]
    classes = numbers["classes"]
    findings = [f"{numbers['rows']:,} rows of {len(classes)} classes were read."]
    few = [f"{name} ({count})" for name, count in classes.items() if count < 10]
    if few:
        findings.append(f"Classes with fewer than 10 rows: {', '.join(few[:8])}.")
    benign = state["numbers"]["record_requirements"]["benign"]
    if strange := [name for name in benign if name not in classes]:
        findings.append(f"No class is called {', '.join(strange)}, which was named as benign.")
    return Review(passed=not strange, findings=findings)


REQUIREMENTS = StageRules(
    name="requirements",
    tools=("record_requirements", "import_rows"),
    required=True,
    facts=_facts,
    review=_review,
)
