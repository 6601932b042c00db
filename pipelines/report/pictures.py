"""The pictures of a report: legible at two or forty classes, and without colour vision.

Each function draws one figure in one of two themes, for light and for dark paper; ``data_uri``
makes it a self-contained SVG. The same values give the same bytes.
"""

import base64
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.report.data import (
    AuditGroup,
    Confusion,
    FewLabelStudy,
    LearningCurves,
    ModelScore,
)
from pipelines.store.files import write_atomic
from pipelines.visible import visible

# A cell of a confusion matrix names its share while there is room for two digits.
MOST_ANNOTATED_CLASSES = 22
_LABEL = 20
_WIDTH = 4.4  # inches: on a phone the words shrink to three quarters, not less
_GOLDEN = 0.618034  # spreads the dots of a strip plot evenly without a random number

_SETTINGS = {
    "svg.hashsalt": "netloop",  # element ids without a random part
    "svg.fonttype": "none",  # the browser's own fonts know more scripts than the plotting library's
    "text.parse_math": False,  # a "$" in a label is a "$"
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Theme:
    """Colours of a picture: Okabe and Ito's, which colour-blind readers tell apart."""

    ink: str
    muted: str
    grid: str
    paper: str
    accent: str
    second: str


LIGHT = Theme("#1d2733", "#64717f", "#dfe4ea", "#ffffff", "#0072b2", "#d55e00")
DARK = Theme("#e8ecf0", "#9aa7b4", "#36414d", "#1b232c", "#56b4e9", "#e69f00")

Draw = Callable[[Theme], Any]


def data_uri(draw: Draw, theme: Theme) -> str:
    """The figure that ``draw`` makes, as a ``data:`` address of an SVG picture."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(draw, theme)).decode("ascii")


def svg(draw: Draw, theme: Theme) -> bytes:
    """The figure that ``draw`` makes, as an SVG picture."""
    import matplotlib

    content = io.BytesIO()
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # only its width is guessed
        draw(theme).savefig(
            content,
            format="svg",
            bbox_inches="tight",
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return content.getvalue()


def save_picture(draw: Draw, path: Path) -> None:
    """Write the figure that ``draw`` makes as a PNG, on white, whole or not at all."""
    import matplotlib

    content = io.BytesIO()
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        draw(LIGHT).savefig(
            content,
            format="png",
            dpi=160,
            bbox_inches="tight",
            facecolor=LIGHT.paper,
            metadata={"Software": None},
        )
    write_atomic(path, content.getvalue())


def ladder(models: Sequence[ModelScore], chosen: str | None, target: float | None) -> Draw:
    """Macro-F1 and interval of every model, best on top; the chosen in colour, target dashed."""
    ordered = sorted(models, key=lambda model: model.macro_f1)

    def draw(theme: Theme) -> Any:
        figure, axes = figure_of(theme, _WIDTH, 0.8 + 0.32 * len(ordered))
        for height, model in enumerate(ordered):
            mine = model.name == chosen
            colour = theme.accent if mine else theme.muted
            interval = {"linewidth": 7, "alpha": 0.4, "solid_capstyle": "butt"}
            axes.plot([model.low, model.high], [height, height], color=colour, **interval)
            axes.plot(model.macro_f1, height, "o", color=colour, markersize=6 if mine else 4)
            axes.annotate(
                f"{model.macro_f1:.3f}", (1.02, height), xycoords=("axes fraction", "data"),
                va="center", color=theme.ink if mine else theme.muted,
                fontweight="bold" if mine else "normal", annotation_clip=False,
            )  # fmt: skip
        if target is not None:
            axes.axvline(target, color=theme.second, linestyle=(0, (4, 3)), linewidth=1.2)
            axes.annotate(
                "target", (target, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom",
                color=theme.second,
            )  # fmt: skip
        axes.set_yticks(range(len(ordered)), [visible(model.name, _LABEL) for model in ordered])
        axes.set_ylim(-0.6, len(ordered) - 0.4)
        axes.set_xlim(0, 1)
        axes.set_xlabel("macro-F1 on the test side")
        axes.grid(axis="x", color=theme.grid, linewidth=0.8)
        return figure

    return draw


def field_groups(groups: Sequence[AuditGroup], model: float | None) -> Draw:
    """What each field group gives away: its best field and a small tree, the strongest on top.

    ``model``: the accuracy of the model that was chosen, dashed beside the majority class.
    """
    ordered = sorted(groups, key=lambda row: max(row.tree_accuracy, row.field_accuracy or 0))

    def draw(theme: Theme) -> Any:
        height = 1.1 + 0.36 * len(ordered)
        figure, axes = figure_of(theme, _WIDTH, height)
        heights = range(len(ordered))
        bars = {
            "best field alone": ([row.field_accuracy or 0 for row in ordered], 0.18, theme.accent),
            "small tree": ([row.tree_accuracy for row in ordered], -0.18, theme.second),
        }
        for name, (values, moved, colour) in bars.items():
            axes.barh([h + moved for h in heights], values, 0.34, color=colour, label=name)
        lines = {"majority class": (ordered[0].majority, ":"), "chosen model": (model, "--")}
        for name, (level, style) in lines.items():
            if level is not None:
                axes.axvline(level, color=theme.ink, linestyle=style, linewidth=1.2, label=name)
        names = [
            f"{visible(row.group, _LABEL)}{' (masked)' if row.masked else ''}" for row in ordered
        ]
        axes.set_yticks(heights, names)
        axes.set_xlim(0, 1)
        axes.set_xlabel("accuracy on the test side")
        axes.grid(axis="x", color=theme.grid, linewidth=0.8)
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.6 / height), ncols=2,
            frameon=False, labelcolor=theme.ink,
        )  # fmt: skip
        return figure

    return draw


def confusion(matrix: Confusion) -> Draw:
    """The share of each class's test rows (a row) that the model took for each class (a column)."""
    size = len(matrix.classes)
    names = [visible(name, _LABEL) for name in matrix.classes]
    shares = [[count / max(sum(row), 1) for count in row] for row in matrix.counts]

    def draw(theme: Theme) -> Any:
        from matplotlib.colors import LinearSegmentedColormap

        side = max(2.0, size * (0.34 if size <= MOST_ANNOTATED_CLASSES else 0.24))
        figure, axes = figure_of(theme, side, side)
        shades = LinearSegmentedColormap.from_list("shares", [theme.paper, theme.accent])
        axes.pcolormesh(shares, cmap=shades, vmin=0, vmax=1, edgecolor=theme.grid, linewidth=0.5)
        if size <= MOST_ANNOTATED_CLASSES:
            _write_shares(axes, shares, theme)
        middles = [index + 0.5 for index in range(size)]
        axes.set_xticks(middles, names, rotation=90)
        axes.set_yticks(middles, names)
        axes.invert_yaxis()
        axes.set_aspect("equal")
        axes.tick_params(length=0)
        axes.set_xlabel("taken for")
        axes.set_ylabel("true class")
        for spine in axes.spines.values():
            spine.set_visible(False)
        return figure

    return draw


def _write_shares(axes: Any, shares: list[list[float]], theme: Theme) -> None:
    for row, line in enumerate(shares):
        for column, share in enumerate(line):
            if share >= 0.005:
                colour = theme.paper if share > 0.55 else theme.ink
                axes.text(
                    column + 0.5, row + 0.5, f"{100 * share:.0f}", ha="center", va="center",
                    color=colour, fontsize=7.5,
                )  # fmt: skip


def learning(curves: LearningCurves) -> Draw:
    """Train loss by epoch and, on a second panel, macro-F1 on the validation side."""
    epochs = range(1, len(curves.train_loss) + 1)
    measured = [
        (epoch, score)
        for epoch, score in enumerate(curves.validation_macro_f1, start=1)
        if score is not None
    ]
    panels = 2 if measured else 1

    def draw(theme: Theme) -> Any:
        figure, *all_axes = figure_of(theme, _WIDTH, 1.7 * panels, panels)
        all_axes[0].plot(epochs, curves.train_loss, color=theme.second, linewidth=1.8, marker=".")
        all_axes[0].set_ylabel("train loss")
        if measured:
            all_axes[1].plot(
                *zip(*measured, strict=True), color=theme.accent, linewidth=1.8, marker="."
            )
            all_axes[1].set_ylabel("validation macro-F1")
        for axes in all_axes:
            axes.grid(color=theme.grid, linewidth=0.8)
            axes.xaxis.get_major_locator().set_params(integer=True)
            if curves.best_epoch is not None:
                axes.axvline(
                    curves.best_epoch, color=theme.muted, linestyle=(0, (4, 3)), linewidth=1
                )
        all_axes[-1].set_xlabel("epoch")
        return figure

    return draw


def strips(study: FewLabelStudy) -> Draw:
    """Mean, standard deviation and extremes of every model over its draws, each draw a dot."""
    ordered = sorted(study.models, key=lambda model: model.mean)

    def draw(theme: Theme) -> Any:
        figure, axes = figure_of(theme, _WIDTH, 0.8 + 0.4 * len(ordered))
        for height, model in enumerate(ordered):
            spread = [height - 0.22 + 0.44 * (i * _GOLDEN % 1) for i in range(len(model.scores))]
            axes.plot(model.scores, spread, ".", color=theme.accent, alpha=0.7, markersize=6)
            level = [height, height]
            axes.plot([model.min, model.max], level, color=theme.muted, linewidth=1)
            low, high = model.mean - model.std, model.mean + model.std
            axes.plot([low, high], level, color=theme.ink, linewidth=2.4)
            axes.plot(model.mean, height, "|", color=theme.ink, markersize=15, markeredgewidth=2.2)
        axes.set_yticks(range(len(ordered)), [visible(model.model, _LABEL) for model in ordered])
        axes.set_ylim(-0.6, len(ordered) - 0.4)
        axes.set_xlabel(visible(study.metric, _LABEL))
        axes.grid(axis="x", color=theme.grid, linewidth=0.8)
        return figure

    return draw


def figure_of(theme: Theme, width: float, height: float, panels: int = 1) -> tuple[Any, ...]:
    """A figure on transparent ground and its axes, one below the other, in the theme's ink."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="none")
    all_axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    for axes in all_axes:
        axes.set_facecolor("none")
        axes.set_axisbelow(True)
        axes.tick_params(colors=theme.muted, labelcolor=theme.ink)
        axes.xaxis.label.set_color(theme.muted)
        axes.yaxis.label.set_color(theme.muted)
        for spine in axes.spines.values():
            spine.set_color(theme.grid)
    return figure, *all_axes
