"""How finely a scene is to be divided for photos of a given size."""

from __future__ import annotations


def default_resolution(image_size: int) -> int:
    """Return the voxels that suit photos whose longer side is ``image_size`` pixels: 96 for 100, 128 for 200.

    Those two were measured on lego; between and beyond, a power law through them, in multiples of 8.
    """
    voxels: int = 8 * round(96 / 8 * (image_size / 100) ** 0.4)
    return min(512, max(16, voxels))
