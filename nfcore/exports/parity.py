"""Parity: exported files against torch at the same test poses, and both against the photos."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean as mean

import torch
from torch import Tensor

from nfcore.errors import NfcoreError
from nfcore.evaluation.metrics import psnr
from nfcore.exports.manifest import Parity, PhotoQuality
from nfcore.exports.reference import Reference
from nfcore.interfaces import Runner, Tolerance
from nfcore.interfaces.reporting import Reporter

#: Share of an image's values that a typical error is of.
TYPICAL = 0.9999


class NoImageError(NfcoreError):
    """Exported files returned no image of the model's size."""


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Args:
        parity: against torch.
        photos: of files and torch against the photos; None without photos.
        images: of torch and of the export, (3, h, w) each, at the first test pose.

    """

    parity: Parity
    photos: PhotoQuality | None
    images: tuple[Tensor, Tensor]


@torch.no_grad()
def compare(reference: Reference, runner: Runner, reporter: Reporter | None = None) -> Comparison:
    """Run exported files at the test poses of ``reference`` and compare them with torch and the photos.

    Raises:
        NoImageError: an image has another shape, or holds NaN or infinity.

    """
    reporter = reporter or Reporter()
    against_torch, greatest, typical, against_photos = [], 0.0, 0.0, []
    for index, (camera, ours) in enumerate(zip(reference.cameras, reference.images, strict=True)):
        theirs = runner.render(camera.poses, camera.intrinsics).float().cpu()
        _require_image(theirs, ours)
        if index == 0:
            shown = ours[0], theirs[0]
        errors = (ours - theirs).abs().flatten()
        greatest = max(greatest, float(errors.max()))
        typical = max(typical, float(errors.kthvalue(math.ceil(TYPICAL * len(errors))).values))
        against_torch.append(float(psnr(theirs, ours)))
        if index < len(reference.torch_psnr):
            against_photos.append(
                float(psnr(theirs.clamp(0, 1), reference.photo(index), reference.ignored(index)))
            )
        reporter.step(index + 2, psnr=min(against_torch))
    parity = Parity(
        poses=len(against_torch),
        least_psnr=min(against_torch),
        mean_psnr=mean(against_torch),
        max_error=greatest,
        typical_error=typical,
    )
    photos = None
    if against_photos:
        photos = PhotoQuality(
            photos=len(against_photos), psnr=mean(against_photos), torch_psnr=mean(reference.torch_psnr)
        )
    return Comparison(parity, photos, shown)


def shortfall(parity: Parity, tolerance: Tolerance) -> str | None:
    """Return how ``parity`` exceeds ``tolerance``, or None if it does not."""
    if parity.least_psnr < tolerance.psnr:
        return f"{parity.least_psnr:.1f} dB where at least {tolerance.psnr:.1f} are required"
    if parity.max_error > tolerance.max_error:
        return f"by up to {parity.max_error:.2g} where at most {tolerance.max_error:.2g} is allowed"
    if parity.typical_error is not None and parity.typical_error > tolerance.typical_error:
        return f"{TYPICAL:.2%} by up to {parity.typical_error:.2g} where {tolerance.typical_error:.2g} is allowed"
    return None


def _require_image(theirs: Tensor, ours: Tensor) -> None:
    if theirs.shape != ours.shape:
        raise NoImageError(f"an image of {tuple(theirs.shape)} where torch has {tuple(ours.shape)}")
    if not theirs.isfinite().all():
        raise NoImageError("NaN or infinity in its image")
