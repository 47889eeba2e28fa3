"""Files that hold one JSON value: each is a model with bounds, read and checked in one place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from nfcore.errors import UserError
from nfcore.io.files import MOST_TEXT, read_file
from nfcore.io.json_files import check_nodes

#: A finite number that float32 can represent.
Number = Annotated[float, Field(ge=-3e38, le=3e38, allow_inf_nan=False)]
#: A count: what fits into 63 bits.
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
#: Greatest length of an image's side in pixels.
LONGEST_SIDE = 16384
#: A length of an image's side in pixels.
Pixels = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
#: A time that every time zone has, with its own.
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))]
#: A name, such as a scene's or a view's.
Name = Annotated[str, Field(max_length=1000)]

_SHOWN = 80  # characters of a place in a file, whose names may be anything
Model = TypeVar("Model", bound=BaseModel)


class Record(BaseModel):
    """Base of what files hold: immutable, numbers are finite, texts have a length."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, str_max_length=100_000)


def refuse_newer(written: object, newest: int) -> None:
    """Raise a ValueError if what a file holds has a ``format`` after the ``newest``: its fields may be others."""
    form = written.get("format") if isinstance(written, dict) else None
    if isinstance(form, int) and form > newest:
        raise ValueError(f"written by a newer nfcore (format {form:.3g}, this one reads {newest})")


def read_record(path: Path, model: type[Model], most: int = MOST_TEXT) -> Model:
    """Return the JSON file ``path`` as ``model``.

    Raises:
        UserError: the file is missing, not a regular file, too large, not JSON, or not as the model says.

    """
    return parse_record(read_file(path, most), model, str(path))


def parse_record(text: bytes | str, model: type[Model], where: str) -> Model:
    """Return JSON ``text`` as ``model``; ``where`` is its place in errors.

    Raises:
        UserError: not JSON, or too much of it, or not as the model says.

    """
    check_nodes(text, where)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise UserError(f"{where}: {_fault(error)}") from None
    except RecursionError:
        raise UserError(f"{where}: damaged: nested too deeply") from None


def _fault(error: ValidationError) -> str:
    issue: Any = error.errors(include_url=False, include_input=False)[0]
    message = issue["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in issue["loc"])
    if not place and issue["type"] == "value_error":  # a whole that its model refuses, such as a newer format
        return str(message)
    place = place if len(place) <= _SHOWN else f"{place[: _SHOWN - 3]}..."
    return f"damaged: {place}: {message}" if place else f"damaged: {message}"
