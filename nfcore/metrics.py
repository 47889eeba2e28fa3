"""Image quality: PSNR and SSIM with their published definitions, computed by torchmetrics."""

from __future__ import annotations

from torch import Tensor


def psnr(images: Tensor, truth: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each image in dB, (n,).

    Args:
        images: (n, 3, h, w) in [0, 1].
        truth: the same shape.

    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    value: Tensor = peak_signal_noise_ratio(images, truth, data_range=(0.0, 1.0), dim=(1, 2, 3), reduction="none")
    return value


def ssim(images: Tensor, truth: Tensor) -> Tensor:
    """Return the structural similarity of each image, (n,), each channel on its own.

    Wang et al. 2004, equation 13 and section III-C: an 11 x 11 Gaussian window with sigma 1.5, K1 = 0.01 and
    K2 = 0.03, averaged over all windows that lie inside the image and over the channels.

    Args:
        images: (n, 3, h, w) in [0, 1], each side at least 11 pixels.
        truth: the same shape.

    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    _, windows = structural_similarity_index_measure(
        images, truth, data_range=(0.0, 1.0), reduction="none", return_full_image=True
    )
    inside: Tensor = windows[..., 5:-5, 5:-5]  # the others reach over the edge, into mirrored pixels
    return inside.mean((1, 2, 3))
