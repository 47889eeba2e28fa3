"""Exposure and white balance that change from photo to photo: a gain and an offset per photo and channel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Weights of gain 1 and of offset 0 in the fit, per pixel: small against the variance of a photo with contrast.
_GAIN_RIDGE, _OFFSET_RIDGE = 1e-3, 1e-2
#: Share of pixels with the largest errors that the second fit leaves out: reflections, and what has moved.
_OUTLIERS = 0.2
#: Colours closer than this to 0 or 1 may be clipped, and say nothing about exposure.
_CLIPPED = 0.02
#: Photos differ in exposure if their corrections explain more of the squared error than this: 0.11 on fern, 0.17
#: on the beer can and 0.20 on lego, whose exposures are constant; 0.57 where the beer can's vary by a tenth.
_EXPLAINED = 0.35
#: What remains of the photos' variance, at most: a field that shows nothing yet says nothing about exposure.
_UNEXPLAINED = 0.25
#: Alpha that colours are divided by, at least.
_LEAST_ALPHA = 1e-3
#: A photo's gain is within these bounds: 2 stops in either direction, in gamma-encoded colours.
_LEAST_GAIN, _LARGEST_GAIN = 0.4, 2.5


@dataclass(frozen=True)
class ColourCorrection:
    """What turns the scene's colours into those of each photo: colour = gain * scene + offset.

    Urban Radiance Fields (Rematas et al. 2022, section 4.2) learn an affine transform of each photo's colours;
    this is its diagonal, which can't exchange channels, fitted in closed form to what a field shows.

    Args:
        gains: (n, 3) of n photos.
        offsets: (n, 3).

    """

    gains: Tensor
    offsets: Tensor

    @classmethod
    def none(cls, n: int, device: torch.device | str = "cpu") -> ColourCorrection:
        """Return the correction of ``n`` photos that changes nothing."""
        return cls(torch.ones(n, 3, device=device), torch.zeros(n, 3, device=device))

    @classmethod
    def fitted(cls, scene: Tensor, photos: Tensor, counted: Tensor | None = None) -> ColourCorrection:
        """Return the correction with the least squared error, regularised to change nothing.

        Args:
            scene: (n, m, 3) in [0, 1], colours of m pixels of each of n photos without their exposure.
            photos: (n, m, 3) in [0, 1], what the photos show there.
            counted: (n, m) bool, the pixels that count; None for all.

        >>> scene = torch.linspace(0.2, 0.7, 50)[None, :, None].expand(1, 50, 3)
        >>> ColourCorrection.fitted(scene, 0.8 * scene).gains.round(decimals=1)
        tensor([[0.8000, 0.8000, 0.8000]])

        """
        weights = _unclipped(photos, counted)
        first = cls.least_squares(scene, photos, weights)
        errors = (first.applied(scene) - photos).square()
        return cls.least_squares(scene, photos, weights * _without_outliers(errors, weights))

    @classmethod
    def least_squares(cls, scene: Tensor, photos: Tensor, weights: Tensor) -> ColourCorrection:
        """Return the correction with the least squared error of all pixels, by ``weights`` (n, m, 3 or 1)."""
        squares = (weights * scene.square()).mean(1) + _GAIN_RIDGE
        products = (weights * scene * photos).mean(1) + _GAIN_RIDGE
        sums, targets = (weights * scene).mean(1), (weights * photos).mean(1)
        count = weights.mean(1) + _OFFSET_RIDGE
        gains = (products * count - sums * targets) / (squares * count - sums.square())
        gains = gains.clamp(_LEAST_GAIN, _LARGEST_GAIN)
        return cls(gains, (targets - gains * sums) / count)

    def matters(self, scene: Tensor, photos: Tensor, counted: Tensor | None = None) -> bool:
        """Whether it removes much more of the squared error than one correction of all photos; see ``fitted``."""
        weights = _unclipped(photos, counted)
        common = self.least_squares(*(values.flatten(0, 1)[None] for values in (scene, photos, weights)))
        before, after = ((c.applied(scene) - photos).square() for c in (common, self))
        weights = weights * _without_outliers(after, weights)
        remaining, error = (weights * after).sum(), (weights * before).sum()
        variance = (weights * (photos - photos.mean((0, 1))).square()).sum()
        return bool(remaining < min((1 - _EXPLAINED) * error, _UNEXPLAINED * variance))

    def centred(self) -> ColourCorrection:
        """Return the correction relative to the mean exposure of all photos: that of novel views."""
        gain, offset = self.gains.log().mean(0).exp(), self.offsets.mean(0)
        return ColourCorrection(self.gains / gain, self.offsets - self.gains / gain * offset)

    def applied(self, scene: Tensor) -> Tensor:
        """Return the colours (n, m, 3) of each photo where the scene has the colours ``scene`` (n, m, 3)."""
        return self.gains[:, None] * scene + self.offsets[:, None]

    def undone(self, colours: Tensor, photos: Tensor | int) -> Tensor:
        """Return the scene's colours (..., 3) in [0, 1] for ``colours`` (..., 3) of pixels of ``photos`` (...)."""
        return ((colours - self.offsets[photos]) / self.gains[photos]).clamp(0, 1)

    def undone_over(
        self, colours: Tensor, photos: Tensor | int, alpha: Tensor | None, background: Tensor
    ) -> Tensor:
        """Return what ``undone`` does for colours composited on ``background`` (3,), which has no exposure.

        ``alpha`` (...) is that of the pixels; None where all are opaque.
        """
        if alpha is None:
            return self.undone(colours, photos)
        opacity = alpha[..., None]
        behind = (1 - opacity) * background
        return opacity * self.undone((colours - behind) / opacity.clamp_min(_LEAST_ALPHA), photos) + behind


def _unclipped(photos: Tensor, counted: Tensor | None) -> Tensor:
    """Return 1 for each pixel and channel that counts and is not clipped, else 0; as ``photos``."""
    weights = ((photos > _CLIPPED) & (photos < 1 - _CLIPPED)).float()
    return weights if counted is None else weights * counted[..., None]


def _without_outliers(errors: Tensor, weights: Tensor) -> Tensor:
    """Return which (n, m, 3) ``errors`` are not among the largest of their photo's channel."""
    limit = torch.where(weights > 0, errors, torch.nan).nanquantile(1 - _OUTLIERS, dim=1, keepdim=True)
    return errors <= limit
