"""Plots of quality against cost for bench and shrink, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nfcore.io.figures import save_figure
from nfcore.measuring.pareto import quality_pareto

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OFF, _ON, _CHOSEN = "#8c8c8c", "#1f77b4", "#d62728"
_LINE = 0.19  # height of a line of the legend, inches
_LEAST_SPAN = 0.2  # of the PSNR that a panel shows, dB


@dataclass(frozen=True)
class Point:
    """One export in a plot.

    Args:
        label: its name in the legend.
        cost: its cost, in the axis' unit.
        psnr: its quality, dB.
        chosen: whether it is the one that was chosen.

    """

    label: str
    cost: float
    psnr: float
    chosen: bool = False


@dataclass(frozen=True)
class Panel:
    """One plot of PSNR against a cost.

    Args:
        axis: the name of the cost, and after a comma its unit.
        points: the exports.

    """

    axis: str
    points: Sequence[Point]


def save_plot(path: Path, title: str, panels: Sequence[Panel]) -> bool:
    """Write a PNG with the panels side by side, leaving out empty ones.

    Returns:
        Whether there was anything to draw; without it no file is written.

    """
    from matplotlib.figure import Figure

    panels = [panel for panel in panels if panel.points]
    if not panels:
        return False
    tallest = max(len(panel.points) for panel in panels)
    figure = Figure(figsize=(6.6 * len(panels), 4.6 + _LINE * tallest), layout="constrained", dpi=130)
    figure.suptitle(title, fontsize=11)
    for column, panel in enumerate(panels):
        _draw(figure.add_subplot(1, len(panels), column + 1), panel)
    save_figure(figure, path)
    return True


def _draw(axes: Axes, panel: Panel) -> None:
    """Draw numbered points with a legend below: names would overlap where points are close."""
    points = panel.points
    front = quality_pareto([(point.cost, point.psnr) for point in points])
    axes.plot(
        [points[index].cost for index in front],
        [points[index].psnr for index in front],
        color=_ON,
        linewidth=1.2,
        drawstyle="steps-post",
        zorder=1,
    )
    for index, point in enumerate(points):
        colour = _CHOSEN if point.chosen else _ON if index in front else _OFF
        place, above = (point.cost, point.psnr), 2 + point.chosen
        axes.scatter(*place, s=120, color=colour, edgecolor="white", zorder=above)
        axes.text(
            *place, str(index + 1), color="white", fontsize=7, ha="center", va="center_baseline", zorder=above
        )
        unit = panel.axis.rpartition(", ")[2]
        text = f"{index + 1}  {point.label}: {point.cost:.4g} {unit}, {point.psnr:.2f} dB"
        axes.plot([], [], linestyle="", marker="o", color=colour, label=text)
    axes.set(xlabel=panel.axis, ylabel="PSNR against photos, dB")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=8, frameon=False)
    axes.margins(x=0.1, y=0.1)
    low, high = axes.get_ylim()
    if high - low < _LEAST_SPAN:  # noise must not look like a large difference
        axes.set_ylim((low + high - _LEAST_SPAN) / 2, (low + high + _LEAST_SPAN) / 2)
    axes.grid(alpha=0.25)
    axes.ticklabel_format(useOffset=False)
