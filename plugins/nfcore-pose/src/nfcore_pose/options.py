"""The settings of posing, which the command and the ray source share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import nfcore

#: COLMAP's lens models that nerfstudio's ``transforms.json`` can express.
Lens = Literal["SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE"]
Matching = Literal["auto", "exhaustive", "sequential"]
Sharing = Literal["auto", "one", "each"]


class PosingOptions(nfcore.Options):
    """How photos are posed. A change of any of these is another entry in the cache."""

    frames: int = Field(100, ge=3, description="Frames to take from a video")
    features_at: int = Field(
        1000, ge=160, le=4000, description="Longer side in pixels of the copies in which features are found"
    )
    matching: Matching = Field(
        "auto",
        description="Which pairs of photos are compared: all (exhaustive), or neighbours in order and some loops "
        "(sequential); by default sequential for a video",
    )
    cameras: Sharing = Field(
        "auto",
        description="Photos that share focal length and distortion: all (one), none (each), or those of the same "
        "size and of the same camera and focal length by EXIF (auto)",
    )
    lens: Lens = Field("SIMPLE_RADIAL", description="COLMAP's model of the lens")
    seed: int = Field(0, ge=0, description="Seed of all random choices")
