"""The options of the teacher ``mobilenerf``."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from nfcore import Options


class PolygonOptions(Options):
    """What the polygons start from, how fine they are, and how they are fitted."""

    field: str = Field(
        "nfcore-teachers/deferred",
        min_length=1,
        description="The teacher that is fitted first: its name, or distribution/name. It must be a volume",
    )
    field_options: dict[str, Any] = Field({}, description="That teacher's options")
    field_share: float = Field(
        0.4, gt=0, lt=1, description="Share of the steps, or seconds, in which it is fitted"
    )
    cells: int | None = Field(
        None,
        ge=8,
        le=512,
        description="Cells along the longest side of the grid that surfaces are found in. None: what photos "
        "of that size show, such as 127 for 200 pixels and 255 for 800",
    )
    levels: tuple[float, ...] = Field(
        (0.1,),
        min_length=1,
        max_length=4,
        description="Opacities of a cell at which there is a surface; each makes a shell of its own, of which "
        "the fit keeps what photos show",
    )
    texels: int | None = Field(
        None, ge=1, le=32, description="Texels along a polygon's side. None: 1.5 for each pixel of the photos"
    )
    layers: int = Field(
        3, ge=1, le=8, description="Surfaces, one behind the other, between which opacities choose in the fit"
    )
    pseudo_views: int = Field(
        100,
        ge=0,
        le=10_000,
        description="Images of the other teacher that are fitted next to the photos: they show what photos "
        "don't, and few photos alone leave holes",
    )
    pixels_per_step: int = Field(8192, ge=64, le=2**20, description="Pixels in a training step")
