"""The quality of a package: its PSNR against photos, compared with that of the model in torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore.exports.parity import Comparison
from nfcore.exports.reference import Reference
from nfcore.interfaces import SceneModel, Views


@dataclass(frozen=True)
class Score:
    """The quality of a package's images.

    Args:
        psnr: mean PSNR against the photos, dB.
        loss: the model's PSNR in torch minus that, dB; may be negative.
        psnr_vs_torch: least PSNR against torch's images, dB.
        max_error: maximum difference from them of a colour value in [0, 1].

    """

    psnr: float
    loss: float
    psnr_vs_torch: float
    max_error: float

    @classmethod
    def of(cls, comparison: Comparison) -> Score:
        """Return the score of a comparison with torch and photos."""
        photos, parity = comparison.photos, comparison.parity
        assert photos is not None  # shrinking always has some
        return cls(photos.psnr, photos.torch_psnr - photos.psnr, parity.least_psnr, parity.max_error)


def photo_reference(model: SceneModel, photos: Views, count: int) -> Reference:
    """Return a reference of ``model`` at ``count`` evenly spaced photos, and at no other poses."""
    return Reference(model, photos=photos, poses=min(count, len(photos)))


def squared_errors(reference: Reference) -> Tensor:
    """Return the mean squared error (n,) of torch's images of the reference's n photos, without ignored pixels."""
    found = []
    for i in range(len(reference.torch_psnr)):
        errors, ignored = (reference.images[i].clamp(0, 1) - reference.photo(i)).square(), reference.ignored(i)
        found.append(errors.mean() if ignored is None else errors[:, :, ~ignored[0]].mean())
    return torch.stack(found)


def expected_loss(errors: Tensor, added: float) -> float:
    """Return the loss of PSNR, dB, averaged over images, caused by an ``added`` mean squared error.

    The errors of torch against the photo and of the package against torch are assumed to be independent, so
    that their squares add.

    Args:
        errors: (n,) mean squared error of torch's image of each photo, from ``squared_errors``.
        added: mean squared error of the package's images against torch's.

    Example:
        >>> round(expected_loss(torch.tensor([1e-3]), 1e-3), 2)
        3.01

    """
    return float((10 * (1 + added / errors).log10()).mean())
