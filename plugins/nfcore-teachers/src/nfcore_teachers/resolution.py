"""How finely a scene is to be divided for photos of a given size."""

from __future__ import annotations

from dataclasses import dataclass

from nfcore import Budget


@dataclass(frozen=True)
class _PowerLaw:
    """The best number of voxels along the longest side, near what was measured.

    Args:
        voxels: for photos of ``pixels`` on the longer side, after ``seconds`` of fitting.
        pixels: see ``voxels``.
        seconds: see ``voxels``.
        by_pixels: exponent of the photos' size.
        by_seconds: exponent of the time.
        steps_per_second: rate at which the steps of a budget are turned into seconds, that of the measurement.
        most: more take more memory than a small machine has.

    """

    voxels: float
    pixels: float
    seconds: float
    by_pixels: float
    by_seconds: float
    steps_per_second: float
    most: int

    def __call__(self, image_size: int, budget: Budget) -> int:
        seconds = budget.steps / self.steps_per_second
        if budget.seconds is not None:
            seconds = min(seconds, budget.seconds)
        size, time = image_size / self.pixels, max(seconds, 1e-2) / self.seconds
        found: int = 8 * round(self.voxels / 8 * size**self.by_pixels * time**self.by_seconds)
        return min(self.most, max(16, found))


#: Lego: 152 for photos of 200 pixels in 36 seconds, 200 for 400 in 72, 288 for 800 in 270.
_BOXED = _PowerLaw(200, 400, 72, 0.33, 0.1, steps_per_second=100, most=512)
#: A thing and all that is around it share the voxels, so there should be more, and what few photos see needs time.
#: The beer can scores best with 144 for photos of 160 pixels in 50 seconds, 224 for 320 in 110, and 300 for 320 in
#: 240; these are a few less, as pages and memory grow with the third power.
_UNBOUNDED = _PowerLaw(200, 320, 107, 0.2, 0.3, steps_per_second=30, most=320)


def default_resolution(image_size: int) -> int:
    """Return the voxels that suit photos whose longer side is ``image_size`` pixels: 96 for 100, 128 for 200.

    Those two were measured on lego; between and beyond, a power law through them, in multiples of 8.
    """
    voxels: int = 8 * round(96 / 8 * (image_size / 100) ** 0.4)
    return min(512, max(16, voxels))


def affordable_resolution(image_size: int, budget: Budget, unbounded: bool = False) -> int:
    """Return the voxels that suit photos whose longer side is ``image_size``, and that ``budget`` can fit.

    They are along the longest side of the scene, in multiples of 8. A grid that is too fine for the time costs
    more than one that is too coarse.

    >>> affordable_resolution(400, Budget(7200))
    200
    >>> affordable_resolution(320, Budget(3200), unbounded=True)
    200
    """
    return (_UNBOUNDED if unbounded else _BOXED)(image_size, budget)
