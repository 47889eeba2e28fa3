"""``views.json``: the scores of each test view, so that the worst can be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from nfcore.errors import UserError
from nfcore.evaluation.scores import Evaluation
from nfcore.io.atomic import write_json


class ViewScore(BaseModel):
    """The scores of one test view."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    view: str = Field(description="The photo's name")
    index: int = Field(ge=0, description="Its index among the test views")
    scores: dict[str, float] = Field(description="Scores, named as their means in summary.json")


_ROWS = TypeAdapter(list[ViewScore])


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
    if not path.is_file():
        return []
    try:
        return _ROWS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(
            f"{path}: damaged ({error.errors()[0]['msg']}); run 'nfcore evaluate {path.parent} --again'"
        ) from None
