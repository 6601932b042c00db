"""Arms by name: generators that need real rows only, and those that an author writes for."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from pipelines.augment.generators import GENERATORS, generate
from pipelines.augment.names import ARMS, EVOLVED
from pipelines.augment.trial import Arm
from pipelines.augment.written import Author, Desk
from pipelines.errors import InputError, NetloopError
from pipelines.progress import Progress, silent

# Of evolved rows: the first writing and two rewritings.
ROUNDS = 3


def arms_of(
    names: Sequence[str],
    masks: Sequence[str],
    author: Author | None,
    progress: Progress = silent,
    *,
    partial: bool = False,
) -> dict[str, Arm]:
    """The arms that are named.

    ``partial``: what an author wrote before it failed is a result too. Raises InputError for an
    unknown arm, or one that lacks an author.
    """
    return {name: _arm(name, masks, author, progress, partial) for name in names}


def _arm(
    name: str, masks: Sequence[str], author: Author | None, progress: Progress, partial: bool
) -> Arm:
    if name not in ARMS:
        raise InputError(f"There is no generator {name!r}.", f"Choose from {', '.join(ARMS)}.")
    if name in GENERATORS:
        return lambda real, wanted, seed: generate(name, real, wanted, masks=masks, seed=seed)
    if author is None:
        raise InputError(
            f"The generator {name} writes rows with a language model, and none is configured.",
            "Name one (NETLOOP_MODEL, OPENAI_BASE_URL; docs/llm.md), or take another generator.",
        )
    rounds = ROUNDS if name == EVOLVED else 1

    def write(real: pa.Table, wanted: Mapping[str, int], seed: int) -> pa.Table:
        give_up = (NetloopError,) if partial else ()
        desk = Desk(author, real, masks=masks, seed=seed, give_up=give_up)
        made = desk.written(wanted, progress).rows
        for number in range(1, rounds):
            made = desk.rewritten(made, number, progress).rows
        return made

    return write
