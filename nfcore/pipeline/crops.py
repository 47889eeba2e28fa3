"""Batches for training a student: crops from several views, which are cameras of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.cameras import Cameras
from nfcore.pipeline.views import TrainingViews

# The share of crops that may lie anywhere in the view: the others overlap what stands before the background,
# which is where the error is; without these few the student would never see the background's far corners.
_ANYWHERE = 0.1


def sample_crops(
    views: TrainingViews, count: int, crop: int | None, scale: int, shift: bool, generator: torch.Generator
) -> tuple[Cameras, Tensor]:
    """Return ``count`` random crops: their cameras, and their images (count, 3, h, w) float32 in [0, 1].

    Args:
        views: where to crop from.
        count: how many; each from a view drawn with replacement.
        crop: side in rays; None takes whole views (less one ray where they are shifted).
        scale: pixels per ray along each side.
        shift: let crops begin at any pixel, not only at multiples of ``scale``.
        generator: the only source of randomness.

    """
    height, width = views.cameras.height, views.cameras.width
    size = tuple(_side(side, crop, scale, shift) for side in (height, width))
    index = torch.randint(len(views), (count,), generator=generator)
    free = torch.rand(count, generator=generator) < _ANYWHERE
    corners = []
    for axis, side in enumerate((height, width)):
        low, high = views.windows[index, axis], views.windows[index, axis + 2]
        last = side - size[axis]
        first = torch.where(free, 0, (low - size[axis] // 2).clamp(0, last))
        final = torch.where(free, last, (high - size[axis] // 2).clamp(0, last)).clamp_min(first)
        corner = first + (torch.rand(count, generator=generator) * (final - first + 1)).long()
        corners.append(corner if shift else corner // scale * scale)
    images = torch.stack(
        [
            views.images[i, top : top + size[0], left : left + size[1]]
            for i, top, left in zip(index.tolist(), corners[0].tolist(), corners[1].tolist(), strict=True)
        ]
    )
    cameras = views.cameras[index].cropped(corners[0], corners[1], *size)
    return cameras, images.permute(0, 3, 1, 2).float() / 255


def _side(side: int, crop: int | None, scale: int, shift: bool) -> int:
    """Return the crop's side in pixels."""
    whole = side - scale if shift and side > scale else side
    return min(crop * scale, whole) if crop else whole
