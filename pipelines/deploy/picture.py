"""The study as a picture and as lines of text: one bar or line a layout."""

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from pipelines.deploy.study import DeploymentStudy, LayoutResult, pareto
from pipelines.report.pictures import LIGHT, Draw, Theme, svg
from pipelines.visible import visible

TITLE = "Layouts of learning and judging"
_LABEL = 24


def picture(study: DeploymentStudy) -> str:
    """Macro-F1, bytes moved and latency of every layout as SVG; those that no other beats are
    drawn in colour. Its title and description say the same for readers who do not see it."""
    content = svg(_draw(study), LIGHT).decode()
    description = escape(" ".join(_sentence(result) for result in study.layouts))
    head, tag, rest = content.partition("<svg ")
    attributes, end, body = rest.partition(">")
    words = f'<title id="title">{TITLE}</title><desc id="description">{description}</desc>'
    labels = 'role="img" aria-labelledby="title description" '
    return f"{head}{tag}{labels}{attributes}{end}\n {words}{body}"


def table(study: DeploymentStudy) -> list[str]:
    """The study as aligned lines for a terminal: layouts, then sites; ``*`` marks the layouts that
    no other beats."""
    best = pareto(study)
    layouts = [
        ["", "layout", "macro-F1", "accuracy", "train min", "latency ms (p95)", "from sites",
         "from hub", "trainings"],
        *([
            "*" if result.layout in best else "", result.layout,
            _interval(result),
            f"{result.score.accuracy:.3f}", f"{result.training_minutes:.2f}", _latency(result),
            f"{_size(result.bytes_train)} + {_size(result.bytes_judge)}",
            _size(result.bytes_hub), str(result.trainings),
        ] for result in study.layouts),
    ]  # fmt: skip
    sites = [["macro-F1 at", *(result.layout for result in study.layouts), "rows (test)"]]
    for of_layouts in zip(*(result.sites for result in study.layouts), strict=True):
        first = of_layouts[0]
        scores = [f"{s.score.macro_f1:.3f}" if s.score else "none" for s in of_layouts]
        rows = f"{first.train_rows:,} ({first.test_rows:,})"
        sites.append([visible(first.site, _LABEL), *scores, rows])
    asked = ["", *_aligned(_made_lines(study))] if study.arm else []
    return [*_aligned(layouts), "", *_aligned(sites), *asked]


def _made_lines(study: DeploymentStudy) -> list[list[str]]:
    """What each layout and, in both layouts in which sites learn, each site made and asked for."""
    alone = next(result for result in study.layouts if result.layout != "centralised")
    trainers = [
        *((str(result.layout), result.made_rows, result.asked) for result in study.layouts),
        *((visible(site.site, _LABEL), site.made_rows, site.asked) for site in alone.sites),
    ]
    heads = ["requests", "tokens in", "tokens out", "to the model", "asking min"]
    return [
        [f"rows by {study.arm}, {study.amount:g}:1", "made", *heads],
        *(
            [
                name, f"{made:,}", f"{asked.requests:,}", f"{asked.tokens_in:,}",
                f"{asked.tokens_out:,}", _size(asked.bytes_sent), f"{asked.minutes:.2f}",
            ]
            for name, made, asked in trainers
        ),
    ]  # fmt: skip


def _draw(study: DeploymentStudy) -> Draw:
    results = list(reversed(study.layouts))  # the first on top
    best = pareto(study)
    waits = [result.latency.median_ms if result.latency else 0.0 for result in results]
    panels = {
        "macro-F1 on held-out rows of all sites": (
            [result.score.macro_f1 for result in results],
            [_interval(result) for result in results],
        ),
        "bytes moved over the links": (
            [float(result.bytes_moved) for result in results],
            [_size(result.bytes_moved) for result in results],
        ),
        f"time to a verdict, median ({study.batch} rows at once)": (
            waits,
            [f"{wait:.1f} ms" if wait else "none" for wait in waits],
        ),
    }
    tokens = [result.asked.tokens for result in results]
    if any(tokens):
        panels["tokens of the language model"] = (
            [float(count) for count in tokens],
            [f"{count:,}" for count in tokens],
        )

    def draw(theme: Theme) -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.4, 1.2 * len(panels)), facecolor="none", layout="tight")
        colours = [theme.accent if result.layout in best else theme.muted for result in results]
        heights = range(len(results))
        for axes, (what, (values, labels)) in zip(
            figure.subplots(len(panels), 1), panels.items(), strict=True
        ):
            axes.barh(heights, values, color=colours)
            for height, value, label in zip(heights, values, labels, strict=True):
                place = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
                axes.annotate(label, (value, height), color=theme.ink, **place)
            axes.set_title(what, loc="left", fontsize=9, color=theme.muted)
            axes.set_yticks(heights, [result.layout for result in results])
            axes.set_xlim(0, 1.6 * max(values) or 1)
            axes.set_xticks([])
            axes.set_facecolor("none")
            axes.tick_params(length=0, labelcolor=theme.ink)
            for spine in axes.spines.values():
                spine.set_visible(False)
        return figure

    return draw


def _sentence(result: LayoutResult) -> str:
    latency = "nothing was judged" if result.latency is None else f"{_latency(result)} ms"
    tokens = f", {result.asked.tokens:,} tokens asked of a model" if result.asked.tokens else ""
    return (
        f"{result.layout}: macro-F1 {result.score.macro_f1:.3f}, "
        f"{_size(result.bytes_moved)} moved, latency {latency}{tokens}."
    )


def _interval(result: LayoutResult) -> str:
    low, high = result.score.ci
    return f"{result.score.macro_f1:.3f} [{low:.3f}, {high:.3f}]"


def _latency(result: LayoutResult) -> str:
    if result.latency is None:
        return "none"
    return f"{result.latency.median_ms:.1f} ({result.latency.p95_ms:.1f})"


def _size(count: int) -> str:
    """Bytes in the largest unit that leaves a number above 1: ``12.3 kB``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines]
    return ["  ".join(cells).rstrip() for cells in padded]
