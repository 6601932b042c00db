"""A cursor over bytes that may end anywhere."""


class NeedData(Exception):
    """The bytes end before the value asked for. Parsers catch it and keep what they had."""


class Reader:
    """Reads big-endian numbers, blocks and vectors from the front of ``data``."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes. Raises NeedData if there are fewer."""
        taken = self.data[self.at : self.at + size]
        if len(taken) < size:
            raise NeedData
        self.at += size
        return taken

    def number(self, size: int) -> int:
        """An unsigned number of ``size`` bytes. Raises NeedData."""
        return int.from_bytes(self.take(size), "big")

    def numbers(self, size: int) -> list[int]:
        """All numbers of ``size`` bytes that are left."""
        return [self.number(size) for _ in range((len(self.data) - self.at) // size)]

    def vector(self, size: int) -> bytes:
        """What follows a length of ``size`` bytes, or as much of it as is there.

        Raises NeedData if not even the length is there.
        """
        length = self.number(size)
        taken = self.data[self.at : self.at + length]
        self.at += length
        return taken

    @property
    def overrun(self) -> bool:
        """Whether a vector announced more than there was."""
        return self.at > len(self.data)
