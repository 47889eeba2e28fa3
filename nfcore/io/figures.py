"""Matplotlib figures as files. Text is shown verbatim: names of photos and runs may contain anything."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from nfcore.io.atomic import atomic_path
from nfcore.runtime.plain_text import plain_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write ``figure`` to ``path``, atomically, in the format that its suffix names.

    Texts with dollar signs are not formulas, and what is not plain text in them is escaped.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text(plain_lines(text.get_text()))
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a box stands for what the font lacks
        figure.savefig(temporary)
