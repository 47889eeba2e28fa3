"""``views.json``: the scores of each test view, so that the worst can be found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, RootModel

from nfcore.errors import UserError
from nfcore.evaluation.scores import Evaluation
from nfcore.io.atomic import write_json
from nfcore.io.records import Count, Name, Number, Record, read_record

# The report has a row for each.
_MOST_VIEWS = 100_000


class ViewScore(Record):
    """The scores of one test view."""

    view: Name = Field(description="The photo's name")
    index: Count = Field(description="Its index among the test views")
    scores: dict[Name, Number] = Field(description="Scores, named as their means in summary.json")


class _ViewScores(RootModel[Annotated[list[ViewScore], Field(max_length=_MOST_VIEWS)]]):
    """The scores of all test views."""


def by_view(evaluations: Mapping[str, Evaluation], indices: Sequence[int]) -> Iterator[ViewScore]:
    """Yield the scores of each view.

    Args:
        evaluations: of the same views, by a name such as ``student.test``.
        indices: of the views among all test views.

    """
    names = next(iter(evaluations.values())).names
    for row, (name, index) in enumerate(zip(names, indices, strict=True)):
        scores = {
            f"{scored}.{metric}": values[row]
            for scored, evaluation in evaluations.items()
            for metric, values in evaluation.scores.items()
            if math.isfinite(values[row])
        }
        yield ViewScore(view=name, index=index, scores=scores)


def write_view_scores(path: Path, rows: Iterator[ViewScore]) -> None:
    """Write ``rows`` to ``path``, atomically."""
    write_json(path, [row.model_dump() for row in rows])


def read_view_scores(path: Path) -> list[ViewScore]:
    """Return the rows in ``path``; none if there is no such file.

    Raises:
        UserError: the file is damaged.

    """
    if not path.exists():
        return []
    try:
        return read_record(path, _ViewScores).root
    except UserError as error:
        raise UserError(f"{error}; run 'nfcore evaluate {path.parent} --again'") from None
