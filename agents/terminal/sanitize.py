"""The one door through which foreign words reach the terminal.

rich passes escapes inside a ``Text`` on to the terminal and reads ``[green]`` in a plain string as
markup, so a label could clear the screen or print an approval. Strings that netloop did not write
are therefore shown as ``safe_text`` and never handed to rich as they are.
"""

from rich.text import Text

from pipelines.visible import visible, visible_lines

__all__ = ["safe_text", "visible", "visible_lines"]


def safe_text(text: str, style: str = "", limit: int = 200) -> Text:
    """``text`` as one line for rich in ``style``: every character visible, markup left as it is."""
    return Text(visible(text, limit), style=style)
