"""``summary.json`` and ``state/results.json``: figures by flat dotted keys, checked wherever they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import RootModel, model_validator

from nfcore.io.records import Name, read_record

# The figures that are text; all others are numbers or booleans.
_TEXTS = frozenset({"scene", "protocol", "precision", "verified_by", "not_verified"})
_LONGEST_TEXT = 10_000
# Beyond it, neither Python's float nor JavaScript's number is exact for whole numbers.
_GREATEST = 1 << 53


class Figures(RootModel[dict[Name, Any]]):
    """The figures of a run, or of one of its stages, by keys such as ``student.test.psnr``."""

    @model_validator(mode="after")
    def _texts_and_numbers(self) -> Figures:
        for name, value in self.root.items():
            text = name.rpartition(".")[2] in _TEXTS
            if not (_is_text(value) if text else _is_number(value)):
                raise ValueError(f"damaged: {name:.80} is {'no text' if text else 'no finite number'}")
        return self


class Results(RootModel[dict[Name, Figures]]):
    """The figures of each finished stage, in the order in which they were finished."""


def read_summary(path: Path) -> dict[str, Any]:
    """Return the figures in a ``summary.json``.

    >>> _ = Path("summary.json").write_text('{"student.test.psnr": 31.5}')
    >>> read_summary(Path("summary.json"))
    {'student.test.psnr': 31.5}

    Raises:
        UserError: it is missing or damaged.

    """
    return read_record(path, Figures).root


def measured(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``figures`` without those that are not finite: what was not measured is absent.

    >>> measured({"student.test.psnr": 31.5, "student.test.lpips": math.nan})
    {'student.test.psnr': 31.5}
    """
    finite = (key for key, value in figures.items() if not isinstance(value, float) or math.isfinite(value))
    return {key: figures[key] for key in finite}


def scored_views(summary: Mapping[str, Any]) -> list[str]:
    """Return the number of scored test views, with the protocol if not all were scored; empty if none were.

    >>> scored_views({"test_views": 25, "protocol": "mobiler2l"})
    ['25 test views (mobiler2l)']
    """
    if "test_views" not in summary:
        return []
    protocol = summary.get("protocol", "all")
    return [f"{summary['test_views']} test views{'' if protocol == 'all' else f' ({protocol})'}"]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def _is_number(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= _GREATEST
    return isinstance(value, float) and math.isfinite(value)
