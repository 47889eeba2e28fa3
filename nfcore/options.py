"""Options of components and stages: pydantic models that refuse unknown names and describe each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from nfcore.errors import UserError, nearest


class StrictModel(BaseModel):
    """Base of models that are checked when they are made: immutable, no unknown names, errors of one line.

    >>> from nfcore import Scene
    >>> Scene(near=6, far=2, box=((-1, -1, -1), (1, 1, 1)))
    Traceback (most recent call last):
    nfcore.errors.UserError: Scene: near (6.0) must be less than far (2.0)

    Raises:
        UserError: from the constructor, for an unknown name, a wrong type or a value out of range.

    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _mistake(type(self), error, type(self).__qualname__) from None

    # With this, pydantic builds nested models itself, and an error in one of them keeps its whole path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class Options(StrictModel):
    """Base of every component's options: immutable, unknown names are an error, each field has a description.

    >>> from pydantic import Field
    >>> class VoxelOptions(nfcore.Options):
    ...     resolution: int = Field(128, ge=2, description="Voxels along the longest side")
    >>> VoxelOptions(resolutoin=64)
    Traceback (most recent call last):
    nfcore.errors.UserError: VoxelOptions: unknown option 'resolutoin'; did you mean 'resolution'?

    """


# A message shows the wrong value, but not all of a matrix.
_LONGEST = 100

Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """Return ``values`` as ``model``; an error is one line that names the option and what would be right.

    Raises:
        UserError: not a mapping, an unknown name, a wrong type or a value out of range.

    """
    if not isinstance(values, Mapping):
        raise UserError(f"{where}: options are a mapping of names to values, not {_shown(values)}")
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise _mistake(model, error, where) from None
    except Exception as error:  # a default or a validator of a plugin's own
        raise UserError(f"{where}: its options can't be checked: {type(error).__name__}: {error}") from error


def mistakes(model: type[BaseModel], values: Mapping[str, Any], where: str) -> dict[tuple[str | int, ...], str]:
    """Return every error in ``values`` as ``model``, one line each, by the path to the wrong value."""
    try:
        model.model_validate(dict(values))
    except ValidationError as error:
        return {issue["loc"]: _sentence(model, issue, where) for issue in error.errors()}
    return {}


def _mistake(model: type[BaseModel], error: ValidationError, where: str) -> UserError:
    return UserError("; ".join(_sentence(model, issue, where) for issue in error.errors()[:2]))


def _sentence(model: type[BaseModel], issue: Any, where: str) -> str:
    path = ".".join(str(part) for part in issue["loc"])
    if issue["type"] == "extra_forbidden":
        return f"{where}: unknown option {path!r}; {nearest(str(issue['loc'][-1]), _fields(model, issue['loc']))}"
    if issue["type"] == "missing":
        return f"{where}: option {path!r} is missing"
    given = issue["input"]
    got = "" if isinstance(given, BaseModel | Mapping) else f", not {_shown(given)}"
    at = f"{path}: " if path else ""  # an error of several values together has no path
    return f"{where}: {at}{issue['msg'].removeprefix('Value error, ')}{got}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # a thousand lists in each other, a number of 5000 digits
        return f"such a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _fields(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Return the names that are allowed in the place of the unknown one."""
    for part in path[:-1]:
        field = model.model_fields.get(str(part))
        inner = None if field is None else model_in(field.annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, or may hold where it may be None; None for other fields.

    >>> model_in(Options | None)
    <class 'nfcore.options.Options'>

    """
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None
