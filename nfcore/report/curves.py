"""Learning curves of each training stage from ``metrics.jsonl``, as SVG for light and dark pages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from nfcore.config.stages import TRAINING

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

# Enough for a curve on a screen.
_POINTS = 300
_WIDTH, _HEIGHT = 3.6, 2.1  # inches of 72 points
# Left, bottom, width and height of the axes as shares: a computed layout takes longer than the drawing.
_PLACE = (0.14, 0.2, 0.81, 0.77)
# Placeholders for the page's colours: inline SVG can use those of the style sheet.
_INK, _GRID, _LINE = "#000001", "#000002", "#000003"
_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@dataclass(frozen=True)
class Quantity:
    """A quantity that a curve shows.

    Args:
        key: its name in ``metrics.jsonl``.
        title: its title, with its unit.
        logarithmic: whether its axis is.

    """

    key: str
    title: str
    logarithmic: bool = False


PSNR = Quantity("psnr", "PSNR in dB")
LOSS = Quantity("loss", "Loss", logarithmic=True)
RATE = Quantity("lr", "Learning rate")


@dataclass(frozen=True)
class Curve:
    """One drawn curve.

    Args:
        title: stage and quantity.
        words: a description, for screen readers.
        svg: the drawing, as an element of a page.

    """

    title: str
    words: str
    svg: str


def curves(reports: Sequence[tuple[str, int, Mapping[str, float]]], quantity: Quantity) -> Iterator[Curve]:
    """Yield a curve of ``quantity`` for each training stage that has reported it at least twice.

    Args:
        reports: the stage, the step and the finite figures of each report.
        quantity: what is drawn.

    """
    for stage in TRAINING:
        points = [
            (step, scalars[quantity.key])
            for reporting, step, scalars in reports
            if reporting == stage and quantity.key in scalars
        ]
        if quantity.logarithmic:
            points = [(step, value) for step, value in points if value > 0]
        if len(points) < 2:
            continue
        first, last = points[0][1], points[-1][1]
        title = f"{stage}: {quantity.title}"
        words = f"from {first:.3g} to {last:.3g} in {points[-1][0]} steps"
        yield Curve(title, words, _drawn(_thinned(points), quantity, stage))


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    every = math.ceil(len(points) / _POINTS)
    return [*points[:-1:every], points[-1]]


def _drawn(points: list[tuple[int, float]], quantity: Quantity, stage: str) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"{stage} {quantity.key}"}):
        figure = Figure(figsize=(_WIDTH, _HEIGHT))
        axes = figure.add_axes(_PLACE)
        axes.plot(*zip(*points, strict=True), color=_LINE, linewidth=1.6)
        axes.set_xlabel("step")
        axes.margins(x=0.01)
        if quantity.logarithmic:
            axes.set_yscale("log")
        drawing = StringIO()
        figure.savefig(drawing, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(drawing.getvalue(), stage)


def _for_page(svg: str, stage: str) -> str:
    """Return matplotlib's SVG file as an element of a page: with the page's colours and without unused ids."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if f"#{found[1]}" in svg else "", svg)
    svg = svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    for colour, ours in ((_INK, "var(--faint)"), (_GRID, "var(--edge)"), (_LINE, f"var(--{stage})")):
        svg = svg.replace(colour, ours)
    return svg
