"""What a smaller package loses: its pictures against photos, beside those of the student in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore.evaluation.metrics import psnr
from nfcore.interfaces import Views
from nfcore.scene.cameras import Cameras
from nfcore.student.light_field import LightField

#: dB: what bit-equal images count as; float32 holds no finer difference.
_EQUAL = 140.0


@dataclass(frozen=True)
class Score:
    """How good a package's pictures are.

    Args:
        psnr: mean PSNR against the photos, dB.
        loss: by how much that is less than the student's own in torch, dB; negative where it is more.
        psnr_vs_torch: least PSNR against the student's own pictures, dB.
        max_error: greatest difference from them of a colour value in [0, 1].

    """

    psnr: float
    loss: float
    psnr_vs_torch: float
    max_error: float


class Judge:
    """Photos that nothing was trained on, and the student's own pictures of them.

    Args:
        student: the student, in torch.
        views: the photos; at most ``count`` of them, spread evenly over their order, are looked at.
        count: how many.

    """

    def __init__(self, student: LightField, views: Views, count: int) -> None:
        chosen = [index * len(views) // count for index in range(count)] if len(views) > count else None
        views = views if chosen is None else views.chosen(chosen)
        self.cameras: Cameras = views.cameras
        self.photos = views.images.permute(0, 3, 1, 2)
        self.own = student.render(self.cameras).clamp(0, 1)
        #: Mean squared error of the student's own picture of each photo.
        self.squared_errors = (self.own - self.photos).square().mean((1, 2, 3))
        #: Mean PSNR of the student's own pictures, dB.
        self.psnr = float(psnr(self.own, self.photos).mean())

    def __len__(self) -> int:
        return len(self.photos)

    @torch.no_grad()
    def score(self, render: Callable[[Tensor, Tensor], Tensor]) -> Score:
        """Return how good a package is that ``render`` runs; poses and intrinsics to RGB, view by view."""
        values, least, greatest = [], _EQUAL, 0.0
        for index in range(len(self)):
            camera = self.cameras[index]
            image = render(camera.poses, camera.intrinsics).float()
            own = self.own[index][None]
            if image.shape != own.shape or not image.isfinite().all():
                return Score(0.0, self.psnr, 0.0, 1.0)
            image = image.clamp(0, 1)
            values.append(float(psnr(image, self.photos[index][None])))
            least = min(least, float(psnr(image, own)))
            greatest = max(greatest, float((image - own).abs().max()))
        mean = sum(values) / len(values)
        return Score(mean, self.psnr - mean, least, greatest)

    def expected_loss(self, squared_error: float) -> float:
        """Return the loss in dB of pictures that differ from the student's own by a mean squared error.

        As if the two errors, against torch and of torch against the photo, had nothing to do with each other:
        then their squares add.
        """
        return float((10 * (1 + squared_error / self.squared_errors).log10()).mean())
