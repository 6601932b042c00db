"""The few pieces of HTML that reports are made of. Whatever goes in as text comes out as text."""

import html
from collections.abc import Iterable, Sequence

from pipelines.report.pictures import DARK, LIGHT, Draw, data_uri
from pipelines.visible import visible, visible_lines

Cell = str | int | float | None


class Markup(str):
    """HTML that was made here; any other string is escaped before it enters a page."""

    __slots__ = ()


class Figure(Markup):
    """A number in a form of its own, such as ``7 %``: set right in a table, like other numbers."""

    __slots__ = ()


def text(value: Cell, limit: int = 300) -> Markup:
    """A value as harmless text: thousands separated, three decimals, a dash for None."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return Markup("&ndash;")
    if isinstance(value, int):
        return Markup(f"{value:,}")
    if isinstance(value, float):
        return Markup(f"{value:.3f}")
    return Markup(html.escape(visible(value, limit)))


def join(parts: Iterable[Markup]) -> Markup:
    """The parts, one after the other."""
    return Markup("\n".join(part for part in parts if part))


def element(name: str, *parts: Cell, kind: str = "") -> Markup:
    """``<name class="kind">`` around texts and other elements."""
    inside = "".join(text(part, 2000) for part in parts)
    return Markup(f"<{name}{_class(kind)}>{inside}</{name}>")


def badge(value: str, level: str) -> Markup:
    """A word in a coloured frame; the word alone says it too."""
    return element("span", value, kind=f"badge {level}")


def bullets(items: Iterable[str], kind: str = "") -> Markup:
    """A list of texts; nothing if there are none."""
    lines = [element("li", item) for item in items]
    return element("ul", *lines, kind=kind) if lines else Markup()


def preformatted(value: str) -> Markup:
    """A text with its own lines, as written."""
    lines = "\n".join(visible_lines(value, 20_000))
    return Markup(f"<pre>{html.escape(lines)}</pre>")


def table(
    heads: Sequence[str], rows: Iterable[Sequence[Cell]], marked: frozenset[int] = frozenset()
) -> Markup:
    """A table, numbers set right. ``marked``: positions of the rows that stand out."""
    body = list(rows)
    right = [all(_is_number(row[i]) for row in body) for i in range(len(heads))]
    top = "".join(
        f'<th scope="col"{_right(r)}>{text(h)}</th>' for h, r in zip(heads, right, strict=True)
    )
    lines = "".join(
        f"<tr{_class('marked' if index in marked else '')}>"
        + "".join(f"<td{_right(r)}>{text(c)}</td>" for c, r in zip(row, right, strict=True))
        + "</tr>\n"
        for index, row in enumerate(body)
    )
    return Markup(
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>\n'
        f"<tbody>{lines}</tbody></table></div>"
    )


def picture(draw: Draw, alternative: str, caption: str, kind: str = "") -> Markup:
    """A figure for light and for dark paper, with words for those who do not see it."""
    light, dark = data_uri(draw, LIGHT), data_uri(draw, DARK)
    return Markup(
        f'<figure{_class(kind)}><div class="scroll"><picture>'
        f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{text(alternative, 2000)}"></picture></div>'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def section(name: str, title: str, *parts: Markup) -> Markup:
    """A section of the page under an anchor of its own."""
    return Markup(f'<section id="{name}">\n<h2>{text(title)}</h2>\n{join(parts)}\n</section>')


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, Figure) or not isinstance(cell, str)


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _right(right: bool) -> str:
    return ' class="number"' if right else ""
