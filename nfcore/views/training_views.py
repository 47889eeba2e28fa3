"""The views that a student is trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.interfaces import Views
from nfcore.scene.cameras import Cameras


class TrainingViews:
    """Views kept as 8-bit RGB, with the window of each in which something stands before the background.

    Args:
        cameras: n cameras.
        images: (n, height, width, 3) uint8 RGB.
        windows: (n, 4) int64 pixels: top, left, bottom, right.

    Attributes:
        ids: (n,) int64: which view lies in each place; -1 where none does yet.

    """

    def __init__(self, cameras: Cameras, images: Tensor, windows: Tensor) -> None:
        self.cameras = cameras
        self.images = images
        self.windows = windows
        self.ids = torch.full((len(images),), -1)

    @classmethod
    def of_photos(cls, views: Views, chosen: Tensor | None = None) -> TrainingViews:
        """Return photos as training views: all, or those whose indices are ``chosen``."""
        index = torch.arange(len(views)) if chosen is None else chosen
        images = torch.stack([(views.images[i] * 255).round().to(torch.uint8) for i in index])
        if views.alpha is None:
            windows = torch.tensor([0, 0, *images.shape[1:3]]).repeat(len(index), 1)
        else:
            windows = torch.stack([opaque_window(views.alpha[i]) for i in index])
        photos = cls(views.cameras[index], images, windows)
        photos.ids = index
        return photos

    def __len__(self) -> int:
        return len(self.images)

    def prepare(self, step: int) -> None:
        """Have the views ready that training may draw from at ``step``; for photos, all of them always are."""


def opaque_window(opacity: Tensor, threshold: float = 0.01) -> Tensor:
    """Return the smallest window (4,) around all pixels of (h, w) over ``threshold``, or the whole view."""
    rows = (opacity > threshold).any(1).nonzero()[:, 0]
    columns = (opacity > threshold).any(0).nonzero()[:, 0]
    if not len(rows):
        return torch.tensor([0, 0, *opacity.shape])
    return torch.stack([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
