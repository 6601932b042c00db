"""The five stages of the life cycle, in one place."""

from agents.checkpoints import Stage
from agents.stages.augmentation import AUGMENTATION
from agents.stages.base import StageRules
from agents.stages.cleaning import CLEANING
from agents.stages.design import DESIGN
from agents.stages.operation import OPERATION
from agents.stages.requirements import REQUIREMENTS

_RULES = {r.name: r for r in (REQUIREMENTS, CLEANING, AUGMENTATION, DESIGN, OPERATION)}


def rules_of(name: Stage) -> StageRules:
    """The rules of one stage."""
    return _RULES[name]
