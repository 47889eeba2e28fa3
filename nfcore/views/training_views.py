"""The views that a student is trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.interfaces import Rendering, Teacher, Views
from nfcore.scene.cameras import Cameras
from nfcore.views.teacher_views import render_view

#: Bytes of a pixel: RGB; or RGB, opacity and depth.
COLOUR_BYTES, GEOMETRY_BYTES = 3, 6
_MAX_DEPTH = torch.finfo(torch.float16).max


class TrainingViews:
    """Views stored with 8 bits per channel, and the window of each that contains its opaque pixels.

    Args:
        cameras: n cameras.
        pixels: (n, height, width, 3) uint8 RGB; or (n, height, width, 6), see ``pixels_of``.
        windows: (n, 4) int64 pixels: top, left, bottom, right.
        masks: (n, height, width) bool, True where a pixel is to be ignored; None to ignore none.

    Attributes:
        images: (n, height, width, 3) uint8 RGB.
        opacity: (n, height, width) uint8, 255 is opaque; None where it is not stored.
        depth: (n, height, width) float16, in the rays' ``t``; None where it is not stored.
        ids: (n,) int64: the view in each slot; -1 where there is none yet.

    """

    def __init__(self, cameras: Cameras, pixels: Tensor, windows: Tensor, masks: Tensor | None = None) -> None:
        self.cameras = cameras
        self.pixels = pixels
        self.images = pixels[..., :COLOUR_BYTES]
        self.opacity: Tensor | None = None
        self.depth: Tensor | None = None
        if pixels.shape[-1] == GEOMETRY_BYTES:
            self.opacity = pixels[..., COLOUR_BYTES]
            self.depth = pixels[..., COLOUR_BYTES + 1 :].view(torch.float16)[..., 0]
        self.windows = windows
        self.masks = masks
        self.ids = torch.full((len(pixels),), -1)

    @classmethod
    def of_photos(
        cls, views: Views, chosen: Tensor | None = None, device: torch.device | str = "cpu"
    ) -> TrainingViews:
        """Return photos as training views on ``device``: all, or those whose indices are ``chosen``."""
        index = torch.arange(len(views)) if chosen is None else chosen
        images = torch.stack([(views.images[i] * 255).round().to(torch.uint8) for i in index.tolist()])
        if views.alpha is None:
            windows = torch.tensor([0, 0, *images.shape[1:3]]).repeat(len(index), 1)
        else:
            windows = torch.stack([opaque_window(views.alpha[i]) for i in index.tolist()])
        masks = None if views.masks is None else views.masks[index].to(device)
        photos = cls(views.cameras[index], images.to(device), windows, masks)
        photos.ids = index
        return photos

    def with_geometry(self, teacher: Teacher) -> TrainingViews:
        """Return these views with the opacity and the depth that ``teacher`` renders for each."""
        pixels = [
            pixels_of(image.cpu(), render_view(teacher, camera))
            for image, camera in zip(self.images, self.cameras, strict=True)
        ]
        views = TrainingViews(self.cameras, torch.stack(pixels).to(self.pixels.device), self.windows, self.masks)
        views.ids = self.ids
        return views

    def __len__(self) -> int:
        return len(self.images)

    def prepare(self, step: int) -> None:
        """Make the views available that are due at ``step``; photos always are."""


def pixels_of(image: Tensor, seen: Rendering) -> Tensor:
    """Return (h, w, 6) uint8 on the CPU: RGB, opacity, and depth as the two bytes of a float16.

    Args:
        image: (h, w, 3) uint8 RGB.
        seen: opacity and depth (h, w).

    """
    opacity = (seen.opacity.clamp(0, 1) * 255).round().to(torch.uint8)
    depth = seen.depth.clamp(0, _MAX_DEPTH).half()
    return torch.cat([image, opacity.cpu()[..., None], depth.cpu()[..., None].view(torch.uint8)], dim=-1)


def opaque_window(opacity: Tensor, threshold: float = 0.01) -> Tensor:
    """Return the smallest window (4,) around all pixels of (h, w) over ``threshold``, or the whole view."""
    rows = (opacity > threshold).any(1).nonzero()[:, 0]
    columns = (opacity > threshold).any(0).nonzero()[:, 0]
    if not len(rows):
        return torch.tensor([0, 0, *opacity.shape])
    return torch.stack([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
