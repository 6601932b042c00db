"""The pictures of a study of synthetic rows: score against amount, real rows beside them."""

from itertools import groupby
from pathlib import Path
from typing import Any

from pipelines.augment.findings import Exploration, ModelFindings
from pipelines.augment.names import REAL
from pipelines.report.pictures import Draw, Theme, figure_of, save_picture

MARKERS = "ov^sDP*X"


def draw_exploration(found: Exploration, folder: Path) -> list[Path]:
    """Write a PNG for each model into ``folder``; their paths."""
    paths = []
    for name, model in found.models.items():
        path = folder / f"augmentation-{name}.png"
        save_picture(arms(model, found.real_rows, found.metric_name), path)
        paths.append(path)
    return paths


def arms(model: ModelFindings, real_rows: int, metric: str) -> Draw:
    """Mean score against rows added, an arm a line; more real rows with their spread of draws."""
    groups = [[*found] for _, found in groupby(model.outcomes, key=lambda outcome: outcome.name)]

    def draw(theme: Theme) -> Any:
        figure, axes = figure_of(theme, 5.4, 3.6)
        for place, found in enumerate(groups):
            arm, name = found[0].arm, found[0].name
            rows = [0.0, *(outcome.rows for outcome in found)]
            spreads = [model.alone, *(outcome.score for outcome in found)]
            means = [spread.mean for spread in spreads]
            if arm == REAL:
                low, high = zip(*(spread.ci for spread in spreads), strict=True)
                axes.fill_between(rows, low, high, color=theme.second, alpha=0.18, linewidth=0)
                axes.plot(rows, means, color=theme.second, linewidth=2.4, label=name)
                continue
            axes.plot(
                rows, means, color=theme.accent if arm == model.verdict.arm else theme.muted,
                linewidth=1.3, marker=MARKERS[place % len(MARKERS)], markersize=4,
                label=name,
            )  # fmt: skip
        axes.set_xlabel(f"rows added to {real_rows} real ones")
        axes.set_ylabel(metric)
        axes.grid(color=theme.grid, linewidth=0.8)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 3}
        axes.legend(frameon=False, labelcolor=theme.ink, fontsize=7.5, **below)
        return figure

    return draw
