"""netloop's own words: the values that say nothing of the data but what code concluded."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from agents.checkpoints import STAGES
from agents.spec import Spec
from pipelines.augment.names import ARMS
from pipelines.datasets.fields import BEHAVIOUR, COLUMN, DEFAULT_MASKS, LABEL, SPLIT
from pipelines.models.registry import MODELS
from pipelines.models.traffic_lm.settings import TrafficLmSettings
from tools.registry import TOOLS

SIDES = ("train", "validation", "test")
# Where labels come from, what a source is, what was compared, where a model worked.
OTHERS = ("file", "folder", "captures", "table", "baselines", "cpu", "cuda", "number", "text")
VERDICTS = ("use", "none", "undecided")


@cache
def words() -> frozenset[str]:
    """Every string that a planner may read as a value, whatever the data says."""
    from pipelines.audit.audit import Audit
    from pipelines.cleaning.background import PROTOCOLS
    from pipelines.cleaning.registry import KINDS
    from pipelines.datasets.loaders.registry import LOADERS

    models: list[type[BaseModel]] = [Spec, Audit, *(tool.params for tool in TOOLS.values())]
    return frozenset(
        (
            *(*STAGES, *SIDES, *OTHERS, *VERDICTS, *TOOLS, *MODELS, *KINDS, *PROTOCOLS, *ARMS),
            *(*DEFAULT_MASKS, *BEHAVIOUR, COLUMN, LABEL, SPLIT, TrafficLmSettings().base),
            *(loader.name for loader in LOADERS),
            *(word for model in models for word in _choices(model.model_json_schema())),
        )
    )


def _choices(schema: Any) -> Iterator[str]:
    """The words of every closed choice in a JSON schema."""
    if isinstance(schema, dict):
        choices = [*schema.get("enum", ()), schema.get("const")]
        yield from (choice for choice in choices if isinstance(choice, str))
        for below in schema.values():
            yield from _choices(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _choices(below)
