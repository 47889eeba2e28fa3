"""Photos whose exposure and white balance differ, brought to the colours that a teacher shows."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.interfaces import Teacher, Views
from nfcore.runtime.devices import device_of
from nfcore.scene.cameras import Cameras
from nfcore.scene.colour_correction import ColourCorrection
from nfcore.scene.photo_stack import AlphaStack, PhotoStack
from nfcore.views.teacher_views import render_view

#: Pixels along the longer side of the views in which photos and teacher are compared.
_COMPARED = 40
#: An object's pixels that are more opaque than this show nothing of the background.
_OPAQUE = 0.99


@torch.no_grad()
def without_exposure(views: Views, teacher: Teacher) -> Views:
    """Return ``views`` with the exposure that ``teacher`` shows, or as they are if their exposures do not differ.

    A teacher shows one exposure, so a student that is trained on its views and on photos needs photos with that.
    """
    if not len(views):
        return views
    longer = max(views.cameras.height, views.cameras.width)
    factor = min(1.0, _COMPARED / longer)
    size = max(1, round(views.cameras.height * factor)), max(1, round(views.cameras.width * factor))
    cameras = _scaled(views.cameras, *size).to(device_of(teacher))
    scene = torch.stack([render_view(teacher, camera).rgb.cpu().flatten(0, 1) for camera in cameras])
    photos = torch.stack([_small(views.images[i].permute(2, 0, 1), size).T for i in range(len(views))])
    counted = torch.ones(scene.shape[:2], dtype=torch.bool)
    if views.alpha is not None:
        counted &= torch.stack([_small(views.alpha[i][None], size)[0] for i in range(len(views))]) > _OPAQUE
    if views.masks is not None:
        counted &= torch.stack([_small(mask[None].float(), size)[0] for mask in views.masks]) == 0
    correction = ColourCorrection.fitted(scene, photos, counted)
    if not correction.matters(scene, photos, counted):
        return views
    background = torch.tensor(teacher.scene.background)
    if isinstance(views.images, PhotoStack):
        stack = _corrected(views.images, correction, teacher.scene.background)
        return replace(views, images=stack, alpha=stack.alpha)
    assert not isinstance(views.alpha, AlphaStack)
    index = torch.arange(len(views))[:, None, None]
    return replace(views, images=correction.undone_over(views.images, index, views.alpha, background))


def _corrected(
    photos: PhotoStack, correction: ColourCorrection, background: tuple[float, float, float]
) -> PhotoStack:
    def read(index: int) -> Tensor:
        stored = photos.decoded(index)
        colours = correction.undone(stored[..., :3].float() / 255, index)
        return torch.cat([(colours * 255).round().to(torch.uint8), stored[..., 3:]], -1)

    n, height, width, _ = photos.shape
    return PhotoStack(read, (n, height, width, 3 if photos.alpha is None else 4), background)


def _scaled(cameras: Cameras, height: int, width: int) -> Cameras:
    """Return the same cameras with all of their view in another size, each side by its own factor."""
    x, y = width / cameras.width, height / cameras.height
    factors = torch.tensor([x, y, x, y], device=cameras.intrinsics.device)
    return Cameras(cameras.poses, cameras.intrinsics * factors, height, width)


def _small(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (c, h * w), the means of areas of an image (c, height, width)."""
    return F.adaptive_avg_pool2d(image.cpu(), size).flatten(1)
