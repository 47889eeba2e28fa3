"""A student's images at other sizes than the one that it was trained at.

Its upsampler fills in the pixels between rays, and it was trained with rays of one spacing. With a finer or a
coarser grid it draws wrong detail: combs along edges. So a larger image is interleaved from images of nearly the
trained spacing, each shifted by a fraction of a pixel, and a smaller one is the average of a larger one. On lego
at 200x200, against its teacher, that is 1.4 dB better at 400x400 and 7.1 dB better at 100x100 than a plain grid.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.scene.cameras import Cameras, grid_shape
from nfcore.student.light_field import LightField

# How much coarser than in training a spacing may be before the image is rendered finer and averaged.
_SLACK = 0.02


def render_at(student: LightField, cameras: Cameras) -> Tensor:
    """Return images (n, 3, height, width) float32 on the CPU, seen through ``cameras`` of any size.

    >>> images = render_at(student, student.cameras[:1].resized(400, 400))  # doctest: +SKIP

    Raises:
        UserError: the size is not a multiple of the student's scale; sizes below the trained one always fit.

    """
    density = pixel_density(student, cameras)
    if density < 1 - _SLACK:
        shrunk = _fitting(math.ceil(1 / density), cameras, student.scale)
        large = cameras.resized(shrunk * cameras.height, shrunk * cameras.width)
        return F.avg_pool2d(render_at(student, large), shrunk)
    phases = _phases(density, cameras, student.scale)
    if phases == 1:
        return student.render(cameras)
    images = torch.empty(len(cameras), 3, cameras.height, cameras.width)
    for row in range(phases):
        for column in range(phases):
            images[:, :, row::phases, column::phases] = student.render(_phase(cameras, phases, row, column))
    return images


def check_size(student: LightField, cameras: Cameras) -> None:
    """Raise a UserError if ``student`` can't render the size of ``cameras``; it names sizes that would fit."""
    if pixel_density(student, cameras) >= 1 - _SLACK:
        grid_shape(cameras.height, cameras.width, student.scale)


def pixel_density(student: LightField, cameras: Cameras) -> float:
    """Return how many pixels of ``cameras`` cover one of the student's reference cameras, along a side."""
    return float(cameras.intrinsics[:, :2].mean() / student.cameras.intrinsics[:, :2].mean())


def _fitting(least: int, cameras: Cameras, scale: int) -> int:
    """Return the smallest factor, ``least`` or more, that makes both sides multiples of ``scale``."""
    factor = least
    while factor * cameras.height % scale or factor * cameras.width % scale:
        factor += 1
    return factor


def _phases(density: float, cameras: Cameras, scale: int) -> int:
    """Return into how many images a side is split: each no coarser than in training, and on a complete grid.

    A spacing that is somewhat too fine costs little quality; one that is too coarse costs much.
    """
    most = max(1, math.floor(density + _SLACK))
    fitting = (k for k in range(most, 1, -1) if cameras.height % (k * scale) == cameras.width % (k * scale) == 0)
    return next(fitting, 1)


def _phase(cameras: Cameras, phases: int, row: int, column: int) -> Cameras:
    """Return cameras whose pixel (i, j) is pixel (row + phases * i, column + phases * j) of ``cameras``."""
    # Pixel centres are at +0.5: that of pixel j is at phases * (j + 0.5) + (column + 0.5 - phases / 2).
    offset = torch.tensor([0, 0, column, row]) + torch.tensor([0, 0, 0.5, 0.5]) * (1 - phases)
    intrinsics = (cameras.intrinsics - offset.to(cameras.intrinsics)) / phases
    return Cameras(cameras.poses, intrinsics, cameras.height // phases, cameras.width // phases)
