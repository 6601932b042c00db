"""Arms by name: generators that need real rows only, and those that an author writes for."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from pipelines.augment.asking import Author
from pipelines.augment.generators import GENERATORS, generate
from pipelines.augment.names import ROUNDS
from pipelines.augment.trial import Arm, Made
from pipelines.augment.written import Desk
from pipelines.errors import InputError, NetloopError
from pipelines.progress import Progress


def arm_of(
    name: str,
    masks: Sequence[str],
    author: Author | None,
    progress: Progress,
    *,
    frame: pa.Table | None = None,
    partial: bool = False,
) -> Arm:
    """The arm of this name.

    ``frame``: rows, labelled or not, whose ranges and values of texts an author may use.
    ``partial``: what an author wrote before it failed is a result too. Raises InputError for an
    arm that lacks its author.
    """
    if name in GENERATORS:
        return lambda real, wanted, seed: Made(generate(name, real, wanted, masks=masks, seed=seed))
    if author is None:
        raise no_author(name)
    give_up = (NetloopError,) if partial else ()

    def write(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
        desk = Desk(
            author, real, masks=masks, seed=seed, progress=progress, frame=frame, give_up=give_up
        )
        rows = desk.write(wanted)
        for number in range(1, ROUNDS[name]):
            if not desk.ended:
                rows = desk.write(wanted, drafts=rows, number=number)
        return Made(rows, desk.refused, desk.ended)

    return write


def no_author(name: str) -> InputError:
    """The error of an arm that lacks its author."""
    return InputError(
        f"The generator {name} writes rows with a language model, and none is configured.",
        "Name one (NETLOOP_MODEL, OPENAI_BASE_URL; docs/llm.md), or take another generator.",
    )
