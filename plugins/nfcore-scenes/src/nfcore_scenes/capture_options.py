"""The options that all readers of real captures share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

import nfcore

Vector = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
Unit = Annotated[float, Field(ge=0, le=1)]


class CaptureOptions(nfcore.Options):
    """How photos are split, and bounds that are to be taken instead of those from the data."""

    test_every: int = Field(8, ge=2, description="Every n-th photo, from the first, is a test view")
    hold_out: int = Field(0, ge=0, description="Every n-th of the other photos becomes val; 0 takes none")
    multiple_of: int = Field(
        1,
        ge=1,
        description="Scaled photos are cropped evenly to the next smaller multiples of this many pixels, so that "
        "a student's scale divides them",
    )
    background: tuple[Unit, Unit, Unit] = Field(
        (1.0, 1.0, 1.0), description="RGB in [0, 1] that photos with alpha are composited on"
    )
    forward_facing: bool | None = Field(
        None, description="Whether all cameras look the same way; none finds out from the poses"
    )
    near: float | None = Field(
        None, gt=0, description="Depth of the nearest surface, units of the scene as read; none finds out"
    )
    far: float | None = Field(
        None, gt=0, description="Depth of the farthest surface, units of the scene as read; none finds out"
    )
    box: tuple[Vector, Vector] | None = Field(
        None, description="Lower and upper corner of the scene's box, in the scene as read; none finds out"
    )
