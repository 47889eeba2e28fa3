"""The bounds of a scene: depth range, box, background."""

from __future__ import annotations

import struct
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from nfcore.options import StrictModel

# Numbers beyond the range of float32 would become infinite; no scene needs one even near it.
_Coordinate = Annotated[float, Field(ge=-1e9, le=1e9)]
Vector = tuple[_Coordinate, _Coordinate, _Coordinate]
_Share = Annotated[float, Field(ge=0, le=1)]
_Colour = tuple[_Share, _Share, _Share]


class Scene(StrictModel):
    """The bounds of one scene, in scene units (those of the data set).

    ``near`` and ``far`` are depths along the optical axis, the ``t`` of a ray whose direction has z = -1 in
    camera space. ``box`` is the lower and the upper corner of an axis-aligned box around everything visible. A
    ``forward_facing`` scene is warped to NDC by the encoding; its rays then run from t = 0 to 1. Its world is
    recentred: the mean camera is at the origin and looks along -z, and the box extends beyond z = -near. An
    ``unbounded`` scene has a visible background beyond the box, which contains what the cameras look at.

    >>> Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1))).background
    (1.0, 1.0, 1.0)

    Raises:
        UserError: from the constructor, for bounds that are not finite or make no sense.

    """

    model_config = ConfigDict(allow_inf_nan=False)

    near: float = Field(gt=0, le=1e9, description="Depth of the nearest surface, scene units")
    far: float = Field(gt=0, le=1e9, description="Depth of the farthest surface, scene units")
    box: tuple[Vector, Vector] = Field(description="Lower and upper corner of the scene's box, scene units")
    background: _Colour = Field((1.0, 1.0, 1.0), description="RGB behind everything, in [0, 1]")
    forward_facing: bool = Field(default=False, description="All cameras look the same way, as in LLFF captures")
    unbounded: bool = Field(default=False, description="The background beyond the box is visible")

    @model_validator(mode="after")
    def _ordered(self) -> Scene:
        if not 0 < _rounded(self.near) < _rounded(self.far):
            raise ValueError(f"near ({self.near}) must be less than far ({self.far})")
        if not all(_rounded(low) < _rounded(high) for low, high in zip(*self.box, strict=True)):
            raise ValueError(f"the box {self.box} must have its lower corner first")
        if self.forward_facing and self.unbounded:
            raise ValueError("a forward-facing scene has no end anyway: leave unbounded out")
        return self


def _rounded(number: float) -> float:
    """Return a number as float32 has it: bounds that are equal there have nothing between them."""
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded
