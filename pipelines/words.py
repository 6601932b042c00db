"""Numbers in sentences."""


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun, and its verb if need be: ``1 flow was``, ``2,000 flows were``.

    ``many`` is the plural where it is not ``one`` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
