"""How finely a scene is to be divided for photos of a given size."""

from __future__ import annotations

from nfcore import Budget

#: Steps that count as a second where a budget is given in steps: the rate at which the resolutions below were
#: found. Two cores took 72 at 400 pixels when it was last measured.
STEPS_PER_SECOND = 100


def default_resolution(image_size: int) -> int:
    """Return the voxels that suit photos whose longer side is ``image_size`` pixels: 96 for 100, 128 for 200.

    Those two were measured on lego; between and beyond, a power law through them, in multiples of 8.
    """
    voxels: int = 8 * round(96 / 8 * (image_size / 100) ** 0.4)
    return min(512, max(16, voxels))


def affordable_resolution(image_size: int, budget: Budget) -> int:
    """Return the voxels that suit photos whose longer side is ``image_size``, and that ``budget`` can fit.

    Power laws near what was best for ``deferred`` on lego, in multiples of 8: 152 for photos of 200 pixels in 36
    seconds, 200 for 400 in 72, 288 for 800 in 270. A grid that is too fine for the time costs more than one that
    is too coarse.
    """
    seconds = budget.steps / STEPS_PER_SECOND
    if budget.seconds is not None:
        seconds = min(seconds, budget.seconds)
    voxels: int = 8 * round(200 / 8 * (image_size / 400) ** 0.33 * (max(seconds, 1e-2) / 72) ** 0.1)
    return min(512, max(16, voxels))
