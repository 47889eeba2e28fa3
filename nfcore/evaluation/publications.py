"""Published figures: a publication's protocol and tables, as a TOML file that a plugin offers."""

from __future__ import annotations

import math
from pathlib import Path

from pydantic import Field, model_validator

from nfcore.io.toml_files import read_toml
from nfcore.options import Options, parse


class Protocol(Options):
    """Which test views a publication scores."""

    test_views: int = Field(ge=1, description="Greatest number, spread evenly over the test split from its first")

    def indices(self, n: int) -> range:
        """Return which of ``n`` test views are scored.

        >>> Protocol(test_views=25).indices(200)
        range(0, 200, 8)
        """
        return range(0, n, math.ceil(n / self.test_views))


class Ours(Options):
    """A column for a run's own figure next to the published ones."""

    title: str = Field(description="Heading of the column")
    key: str = Field(description="Which figure: a key of summary.json")
    factor: float = Field(1.0, description="Factor that converts the figure to the table's unit")


class Row(Options):
    """One row of a published table, and which runs belong to it."""

    name: str = Field(description="Name of the row, as published")
    scenes: tuple[str, ...] = Field((), description="Runs of these scenes belong to the row")
    recipe: str | None = Field(None, description="Runs with this recipe's student and teacher belong to the row")
    mean: bool = Field(False, description="Whether the row is the mean over all rows before it")
    image_size: int | None = Field(None, ge=1, description="Longer side in pixels; the table's by default")
    values: dict[str, float | str] = Field({}, description="Published values by column; the others are blank")


class Table(Options):
    """One published table."""

    name: str = Field(description="Name for scripts")
    title: str = Field(description="What it shows, with its unit")
    source: str = Field(description="Where it was published")
    image_size: int = Field(ge=1, description="Longer side in pixels of the images that were scored")
    columns: tuple[str, ...] = Field(description="Columns with published values")
    ours: tuple[Ours, ...] = Field((), description="Columns with figures of runs")
    digits: int = Field(2, ge=0, description="Digits after the point in print")
    digits_of: dict[str, int] = Field({}, description="Digits of single columns, by title")
    note: str = Field("", description="What a reader must know to compare")
    rows: tuple[Row, ...] = Field(description="The rows, as published")

    @model_validator(mode="after")
    def _known_columns(self) -> Table:
        unknown = {column for row in self.rows for column in row.values} - set(self.columns)
        if unknown:
            raise ValueError(f"table {self.name!r} has values in columns that it does not list: {sorted(unknown)}")
        return self


class Tables(Options):
    """A publication's file."""

    title: str = Field(description="Title, authors and venue")
    protocol: Protocol = Field(description="How its figures were measured")
    tables: tuple[Table, ...] = Field((), description="Its tables")


def read_tables(path: Path) -> Tables:
    """Return the contents of a publication's file.

    Raises:
        UserError: no such file, invalid TOML, or unknown keys.

    """
    return parse(Tables, read_toml(path), str(path))
