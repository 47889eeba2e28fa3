"""The options of all readers of real captures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat

import nfcore

Vector = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
Unit = Annotated[float, Field(ge=0, le=1)]


class CaptureOptions(nfcore.Options):
    """The split of the photos, and bounds that replace those of the data."""

    path: Path = Field(description="Folder of the data set")
    test_every: int = Field(
        8, ge=2, description="Every n-th photo, from the first, is a test view, if the files name none"
    )
    hold_out: int = Field(
        0,
        ge=0,
        description="Every n-th of the other photos is a validation view, if the files name none; 0 for none",
    )
    multiple_of: int = Field(
        1,
        ge=1,
        description="Scaled photos are cropped evenly to the next smaller multiples of this many pixels; a run "
        "with a student sets it to the student's scale",
    )
    background: tuple[Unit, Unit, Unit] | None = Field(
        None,
        description="RGB in [0, 1] that photos with alpha are composited on; by default white or, for renderings "
        "without alpha, the colour around the object",
    )
    forward_facing: bool | None = Field(
        None, description="Whether all cameras look the same way; by default detected from the poses"
    )
    upside_down: bool = Field(
        False, description="Turn the world upside down; only where it is turned upright, as COLMAP's is"
    )
    near: float | None = Field(
        None, gt=0, description="Depth of the nearest surface, units of the scene as read; by default estimated"
    )
    far: float | None = Field(
        None, gt=0, description="Depth of the farthest surface, units of the scene as read; by default estimated"
    )
    box: tuple[Vector, Vector] | None = Field(
        None, description="Lower and upper corner of the scene's box, in the scene as read; by default estimated"
    )
