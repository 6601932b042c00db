"""The errors that a person may meet: each says what, where and how to mend it."""


class NetloopError(Exception):
    """Something went wrong that a person can understand; it is printed without a traceback.

    ``message`` says what and where in one sentence, ``mend`` what to do about it. ``excerpt`` holds
    lines between the two that are read as they stand: a text, and what points into it.
    """

    exit_code = 1

    def __init__(self, message: str, mend: str = "", excerpt: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.excerpt = excerpt

    def __str__(self) -> str:
        between = f"\n{self.excerpt}\n" if self.excerpt else " "
        return f"{self.message}{between}{self.mend}".strip()


class InputError(NetloopError):
    """What the user gave cannot be used: a spec, a path, a capture, a table, an option."""

    exit_code = 2
