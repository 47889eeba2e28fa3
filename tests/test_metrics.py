"""PSNR and SSIM are the published ones: checked against implementations that share no code with torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nfcore.metrics import psnr, ssim


def wang_2004(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of two (h, w) images in [0, 1], window by window: Wang et al. 2004, equations 13 to 17."""
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for row in range(x.shape[0] - 10):
        for column in range(x.shape[1] - 10):
            a, b = (image[row : row + 11, column : column + 11] for image in (x, y))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            luminance_contrast = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
            values.append(luminance_contrast / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return float(np.mean(values))


@pytest.fixture
def images(generator):
    truth = torch.rand(2, 3, 24, 31, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(truth, 5, 1, 2, count_include_pad=False)
    noise = torch.tensor([0.02, 0.2])[:, None, None, None] * torch.randn(truth.shape, generator=generator)
    return (smooth + noise).clamp(0, 1), smooth


def test_ssim_is_that_of_wang_2004_window_by_window(images):
    image, truth = images
    ours = ssim(image, truth)
    theirs = [
        np.mean([wang_2004(image[i, c].double().numpy(), truth[i, c].double().numpy()) for c in range(3)])
        for i in range(2)
    ]
    assert ours.tolist() == pytest.approx(theirs, abs=1e-4)
    assert ours[0] - ours[1] > 0.1  # more noise, less similar


def test_psnr_is_its_formula_image_by_image(images):
    image, truth = images
    expected = [10 * np.log10(1 / np.mean((image[i] - truth[i]).double().numpy() ** 2)) for i in range(2)]
    assert psnr(image, truth).tolist() == pytest.approx(expected, abs=1e-3)


def test_a_constant_difference_of_a_tenth_is_20_db():
    truth = torch.full((1, 3, 16, 16), 0.5)
    assert float(psnr(truth + 0.1, truth)) == pytest.approx(20.0, abs=1e-4)


def test_identical_images_are_perfect(images):
    truth = images[1]
    assert psnr(truth, truth).tolist() == [float("inf")] * 2
    assert ssim(truth, truth).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_the_range_is_zero_to_one_whatever_the_images_hold():
    dark = torch.full((1, 3, 16, 16), 0.1)
    dark[..., ::2] = 0.2
    assert float(psnr(dark, dark + 0.01)) == pytest.approx(40.0, abs=1e-3)
