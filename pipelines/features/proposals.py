"""What a language model, or a person, may answer when asked for features."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.features.expression import Expression
from pipelines.features.parse import parse

MOST_PROPOSALS = 20


class FeatureProposal(BaseModel):
    """One feature and the reason for it."""

    model_config = ConfigDict(extra="forbid")

    expression: str = Field(description="A feature, as in ratio(src_bytes, dst_bytes)")
    why: str = Field(description="What it should tell apart, in a sentence")


class FeatureProposals(BaseModel):
    """Features that may help to tell the classes apart, the most promising first."""

    model_config = ConfigDict(extra="forbid")

    features: list[FeatureProposal] = Field(max_length=MOST_PROPOSALS)


@dataclass(frozen=True)
class Refusal:
    """A proposal that is no feature, and the reason."""

    expression: str
    reason: str


@dataclass
class ReadProposals:
    """Of an answer: the features that can be tried, and what cannot be."""

    expressions: list[Expression] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def read_proposals(
    proposals: FeatureProposals, schema: pa.Schema, masks: Sequence[str] = DEFAULT_MASKS
) -> ReadProposals:
    """Parse every proposal. A bad one, or one that comes again, is refused and raises nothing."""
    read = ReadProposals()
    for proposal in proposals.features:
        try:
            expression = parse(proposal.expression, schema, masks)
        except InputError as error:
            read.refusals.append(Refusal(proposal.expression, str(error)))
            continue
        if expression in read.expressions:
            read.refusals.append(Refusal(proposal.expression, "An earlier proposal is the same."))
        else:
            read.expressions.append(expression)
    return read
