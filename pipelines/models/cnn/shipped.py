"""Architectures by name, to take as they are or to start from."""

from collections.abc import Sequence

from pipelines.models.cnn.architecture import Architecture, Block, Blocks, Optimiser


def _plain(width: int) -> Architecture:
    block = Block(width=width)
    return Architecture(
        packets=(block, block),
        payload=(Block(width=width, stride=2), block),
        columns=(block, block),
        protocols=2 * width,
    )


def _dilated(*steps: int) -> Blocks:
    return tuple(Block(dilation=step, norm="layer", residual=True) for step in steps)


def _residual(strides: Sequence[int]) -> Blocks:
    return tuple(Block(stride=stride, norm="batch", residual=True) for stride in strides)


_SMALL = Block(width=32)

SHIPPED: dict[str, Architecture] = {
    # Two plain convolutions of width 64.
    "default": Architecture(),
    # A fraction of the work: for a first look, or for few rows.
    "small": Architecture(
        embedding=8,
        packets=(_SMALL,),
        payload=(Block(width=32, stride=2),),
        columns=(_SMALL,),
        protocols=64,
        head=64,
    ),
    # Four times the width, for many rows and many classes.
    "wide": _plain(256),
    # Depth that sums and normalisation keep learnable.
    "deep_residual": Architecture(
        packets=_residual((1, 1, 1, 1)),
        payload=_residual((2, 1, 2, 1)),
        columns=_residual((1, 1, 1, 1)),
        optimiser=Optimiser(schedule="cosine"),
    ),
    # Long reach at full resolution: what belongs together may stand far apart.
    "dilated": Architecture(
        packets=_dilated(1, 2, 4),
        payload=_dilated(1, 2, 4, 8),
        columns=_dilated(1, 2),
        pooling="attention",
        optimiser=Optimiser(schedule="cosine"),
    ),
}


def in_words(architecture: Architecture) -> str:
    """The name of a shipped architecture; of another one its widths and what it is learnt with."""
    for name, known in SHIPPED.items():
        if architecture == known:
            return name
    parts = [
        f"{part} {'+'.join(str(block.width) for block in blocks) or 'not read'}"
        for part, blocks in (
            ("packets", architecture.packets),
            ("payload", architecture.payload),
            ("columns", architecture.columns),
        )
    ]
    learnt = f"{architecture.optimiser.name} at {architecture.optimiser.learning_rate:g}"
    return f"{', '.join(parts)}; {architecture.pooling} pooling, head {architecture.head}, {learnt}"


def by_name(given: object) -> object:
    """The shipped architecture of that name; anything but a text as it is.

    Raises ValueError for a name that nothing has, so that pydantic can say where it stood.
    """
    if not isinstance(given, str):
        return given
    if given not in SHIPPED:
        raise ValueError(f"no architecture is called {given!r}; there are {', '.join(SHIPPED)}")
    return SHIPPED[given]
