"""Exposure and white balance of each photo, estimated while a field is fitted, so that it learns neither."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nfcore import Views
from nfcore.io import State
from nfcore.scene import ColourCorrection
from nfcore_teachers.pixels import Pixels

#: Shares of the budget after which exposures are estimated again: what the field shows gets sharper.
SCHEDULE = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: Pixels of a photo that are compared with the field, and of all photos.
PIXELS, ALL_PIXELS = 512, 1 << 16
#: Estimates after which exposures count as constant, if they have not been found to differ.
LOOKS = 3
#: Steps before which a fit does not look whether exposures differ: what a field has not learned yet looks like it.
YOUNG = 200
#: An object's pixels that are more opaque than this show nothing of the background.
OPAQUE = 0.99
_GOLDEN = 0.6180339887


class Exposures:
    """The exposure of each photo relative to their mean, which is what the field and novel views have.

    Fitted in closed form to what the field shows, so any teacher that renders rays can use it; field and exposures
    are optimised in turn.

    Args:
        views: the photos, on the device that the field is fitted on.
        background: RGB that photos with alpha are composited on: it has no exposure.
        wanted: whether to estimate them; None does if that explains much of the error.

    """

    def __init__(self, views: Views, background: tuple[float, float, float], wanted: bool | None) -> None:
        self.views, self.wanted = views, wanted
        self.device = views.cameras.poses.device
        self.background = torch.tensor(background, device=self.device)
        self.correction = ColourCorrection.none(len(views), self.device)
        self.differ = bool(wanted)
        self.looks = 0

    def due(self, progress: float, steps: int) -> bool:
        """Whether they are to be estimated at ``progress`` in [0, 1) of the budget, after so many ``steps``."""
        if self.wanted is None and steps < YOUNG:
            return False
        if self.wanted is False or self.looks == len(SCHEDULE) or (self.looks >= LOOKS and not self.differ):
            return False
        return progress >= SCHEDULE[self.looks]

    @torch.no_grad()
    def estimate(self, teacher: Any) -> None:
        """Estimate them from what ``teacher`` shows now."""
        self.looks += 1
        index = _spread_pixels(self.views)
        pixels = index.flatten().to(self.device)
        scene = teacher.render(self.views.cameras.pixel_rays(pixels)).rgb.view(*index.shape, 3)
        photos, alpha = self.views.pixels(pixels).view_as(scene), self.views.pixel_alpha(pixels)
        counted = torch.ones_like(index, dtype=torch.bool, device=self.device)
        if alpha is not None:
            counted &= alpha.view_as(counted) > OPAQUE
        if (ignored := self.views.pixel_masks(pixels)) is not None:
            counted &= ~ignored.view_as(counted)
        correction = ColourCorrection.fitted(scene, photos, counted)
        self.differ = self.differ or correction.matters(scene, photos, counted)
        if self.differ:
            self.correction = correction.centred()

    def removed(self, pixels: Pixels) -> Pixels:
        """Return ``pixels`` with the colours that they would have at mean exposure."""
        if not self.differ:
            return pixels
        colours = self.correction.undone_over(pixels.colours, pixels.photos, pixels.alpha, self.background)
        return pixels._replace(colours=colours)

    def state(self) -> State:
        """Return all that ``restore`` needs."""
        correction = self.correction
        return {
            "gains": correction.gains,
            "offsets": correction.offsets,
            "differ": self.differ,
            "looks": self.looks,
        }

    def restore(self, state: State) -> None:
        """Resume from ``state``."""
        self.correction = ColourCorrection(state["gains"].to(self.device), state["offsets"].to(self.device))
        self.differ, self.looks = state["differ"], state["looks"]


def _spread_pixels(views: Views) -> Tensor:
    """Return (n, m) int64, pixels spread evenly over each photo, as linear indices into (n, height, width)."""
    n, height, width = views.images.shape[:3]
    m = max(1, min(PIXELS, ALL_PIXELS // n, height * width))
    place = torch.arange(m, dtype=torch.float64)
    y = ((place + 0.5) / m * height).long()
    x = ((place * _GOLDEN) % 1 * width).long()
    return torch.arange(n)[:, None] * (height * width) + (y * width + x)
