"""How long work tells how far it is: a callable, so that the work knows nothing of terminals."""

from typing import Protocol


class Progress(Protocol):
    """Called often: ``progress("reading captures", done=12, total=22, unit="captures")``.

    ``total`` is None while it is unknown. A new ``what`` begins a new bar.
    """

    def __call__(self, what: str, done: float, total: float | None, unit: str) -> None: ...


def silent(what: str, done: float, total: float | None, unit: str) -> None:
    """The progress of a caller that does not want to know."""
