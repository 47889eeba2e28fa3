"""Image quality: PSNR, SSIM and LPIPS by their published definitions; LPIPS is computed by torchmetrics."""

from __future__ import annotations

import functools
import importlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nfcore.errors import NfcoreError
from nfcore.plugin.isolation import reason
from nfcore.scene.colour_correction import ColourCorrection

#: A function of images (n, 3, h, w) and truth of the same shape, both in [0, 1], and of the pixels to ignore,
#: (n, h, w) bool or None. It returns one value per image, (n,).
Metric = Callable[[Tensor, Tensor, Tensor | None], Tensor]

#: How long a download may stall before it has failed.
_PATIENCE_SECONDS = 10.0


#: PSNR of equal images, dB; about the resolution of float32. Infinity can't be written to JSON or averaged.
EQUAL = 140.0


def psnr(images: Tensor, truth: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Return the peak signal-to-noise ratio of each image in dB, (n,); 140 at most, for equal images.

    Args:
        images: (n, 3, h, w) in [0, 1].
        truth: the same shape.
        ignored: (n, h, w) bool, pixels that do not count, or None.

    >>> psnr(torch.full((1, 3, 16, 16), 0.6), torch.full((1, 3, 16, 16), 0.5)).round()
    tensor([20.])

    """
    squares = (images - truth).square()
    if ignored is None:
        errors = squares.mean((1, 2, 3))
    else:
        counted = ~ignored[:, None].expand_as(images)
        errors = (squares * counted).flatten(1).sum(1) / counted.flatten(1).sum(1)
    return (-10 * errors.log10()).clamp(max=EQUAL)


def psnr_cc(images: Tensor, truth: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Return the colour-corrected PSNR of each image in dB, (n,): without exposure and white balance of its photo.

    A novel view has no photo whose exposure it could show. NeRF in the Wild (Martin-Brualla et al. 2021, section
    5) fits the appearance of a test photo to its left half and scores the right half; here each half is scored
    with the gain and offset per channel of the other. Less than PSNR where there is nothing to correct.

    Args:
        images: (n, 3, h, w) in [0, 1].
        truth: the same shape.
        ignored: (n, h, w) bool, pixels that do not count, or None.

    >>> truth = torch.rand(1, 3, 16, 16)
    >>> bool(psnr_cc(0.7 * truth, truth) > psnr(0.7 * truth, truth) + 10)
    True

    """
    shown, colours = (image.permute(0, 2, 3, 1) for image in (images, truth))
    weights = torch.ones_like(shown[..., :1]) if ignored is None else (~ignored[..., None]).to(shown)
    left = slice(0, shown.shape[2] // 2)
    right = slice(left.stop, None)

    def half(values: Tensor, side: slice) -> Tensor:
        return values[:, :, side].flatten(1, 2)

    total = torch.zeros_like(weights[:, 0, 0, 0])
    for fitted, scored in ((left, right), (right, left)):
        correction = ColourCorrection.least_squares(
            half(shown, fitted), half(colours, fitted), half(weights, fitted)
        )
        corrected = correction.applied(half(shown, scored)).clamp(0, 1)
        total += ((corrected - half(colours, scored)).square() * half(weights, scored)).sum((1, 2))
    errors = total / (3 * weights.sum((1, 2, 3)))
    return (-10 * errors.log10()).clamp(max=EQUAL)


def ssim(images: Tensor, truth: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Return the structural similarity of each image, (n,), computed per channel.

    Wang et al. 2004, equation 13 and section III-C: an 11 x 11 Gaussian window with sigma 1.5, K1 = 0.01 and
    K2 = 0.03, averaged over all windows that are inside the image and over the channels.

    Args:
        images: (n, 3, h, w) in [0, 1], each side at least 11 pixels.
        truth: the same shape.
        ignored: (n, h, w) bool, pixels that do not count, or None. A window around such a pixel is left out.

    >>> images = torch.rand(2, 3, 16, 16)
    >>> ssim(images, images)
    tensor([1., 1.])

    """
    inside = _similarities(_filled(images, truth, ignored), truth, padding=0)
    if ignored is None:
        return inside.mean((1, 2, 3))
    counted = ~ignored[:, None, 5:-5, 5:-5].expand_as(inside)
    return (inside * counted).flatten(1).sum(1) / counted.flatten(1).sum(1).clamp_min(1)


def _similarities(x: Tensor, y: Tensor, padding: int) -> Tensor:
    """Return the structural similarity of each window, (n, c, h - 10, w - 10) if no zeros are added."""
    offsets = x.new_tensor(range(-5, 6))
    bell = (-offsets.square() / (2 * 1.5**2)).exp()
    bell = bell / bell.sum()

    def blur(values: Tensor) -> Tensor:
        planes = values.flatten(0, 1)[:, None]
        along_column = F.conv2d(planes, bell.reshape(1, 1, 11, 1), padding=(padding, 0))
        blurred = F.conv2d(along_column, bell.reshape(1, 1, 1, 11), padding=(0, padding))
        filtered: Tensor = blurred[:, 0].unflatten(0, x.shape[:2])
        return filtered

    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return luminance * structure


def _filled(images: Tensor, truth: Tensor, ignored: Tensor | None) -> Tensor:
    """Return ``images`` with the truth in ignored pixels, so that they do not differ."""
    return images if ignored is None else torch.where(ignored[:, None], truth, images)


def ssim_mobiler2l(images: Tensor, truth: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Return what MobileR2L's code calls SSIM, (n,): only for comparison with its tables, it is not the SSIM.

    Its code passes (height, width, 3) images as if they were (channels, height, width). So each row of pixels is
    treated as an image, ``width`` high and 3 wide, and the window, 11 x 11 as in ``ssim``, extends over the edges
    into zeros. Neighbouring rows are never compared and most of each window is zeros on both sides, so the value
    is near 1 where the SSIM is not: .9910 instead of .9507 on lego.

    Args:
        images: (n, 3, h, w) in [0, 1].
        truth: the same shape.
        ignored: (n, h, w) bool, pixels that count as right, or None.

    """
    images = _filled(images, truth, ignored)
    x, y = (image.permute(0, 2, 3, 1) for image in (images, truth))  # rows become channels
    return _similarities(x, y, padding=5).mean((1, 2, 3))


def lpips(images: Tensor, truth: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Return the learned perceptual distance (LPIPS) of each image, (n,); less is better.

    Zhang et al. 2018, with the published linear weights on AlexNet (version 0.1), the default of R2L's and
    MobileR2L's code.

    >>> distance = lpips(images, truth)  # downloads AlexNet's weights  # doctest: +SKIP

    Args:
        images: (n, 3, h, w) in [0, 1].
        truth: the same shape.
        ignored: (n, h, w) bool, pixels that count as right, or None.

    Raises:
        NfcoreError: torchvision or AlexNet's weights are not available.

    """
    images = _filled(images, truth, ignored)
    network = _perceptual_network().to(images.device)
    values = [network(a[None], b[None], normalize=True) for a, b in zip(images, truth, strict=True)]
    return images.new_tensor([float(value) for value in values])


@functools.cache
def _perceptual_network() -> nn.Module:
    metric = _perceptual_metric()
    try:
        with _socket_timeout():
            network: nn.Module = metric("alex").net
    except Exception as error:  # urllib, sockets, a truncated file: any error of a download
        raise NfcoreError(f"LPIPS: AlexNet's weights can't be loaded: {reason(error)}") from None
    return network


def _perceptual_metric() -> Any:
    """Import torchmetrics' LPIPS, but only if torchvision is there too: it takes two seconds to import."""
    try:
        importlib.import_module("torchvision")
        return importlib.import_module("torchmetrics.image.lpip").LearnedPerceptualImagePatchSimilarity
    except ModuleNotFoundError:
        raise NfcoreError(
            "LPIPS needs torchmetrics and torchvision: pip install 'neural-field-core[lpips]'"
        ) from None
    except RuntimeError as error:
        raise NfcoreError(
            f"LPIPS: torchvision can't be imported: {reason(error)}; if it does not fit torch, "
            "install both from one index, or remove torchvision"
        ) from None


@contextmanager
def _socket_timeout() -> Iterator[None]:
    """Let a download that hangs fail; torchvision has no option for that."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def available(note: Callable[[str], None]) -> dict[str, Metric]:
    """Return all metrics that can be computed here, named as in ``summary.json``.

    Args:
        note: called with one line that says why LPIPS is missing, if it is.

    """
    metrics: dict[str, Metric] = {"psnr": psnr, "ssim": ssim, "ssim_mobiler2l": ssim_mobiler2l, "psnr_cc": psnr_cc}
    try:
        _perceptual_network()
    except NfcoreError as error:
        note(f"not measured: {error}")
        return metrics
    return metrics | {"lpips": lpips}
