"""PSNR and SSIM are the published ones: checked against implementations that share no code with nfcore."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from urllib.error import URLError

import numpy as np
import pytest
import torch

from nfcore.evaluation import metrics
from nfcore.evaluation.metrics import psnr, ssim, ssim_mobiler2l


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
    assert psnr(truth, truth).tolist() == [140.0] * 2
    assert ssim(truth, truth).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_the_range_is_zero_to_one_whatever_the_images_hold():
    dark = torch.full((1, 3, 16, 16), 0.1)
    dark[..., ::2] = 0.2
    assert float(psnr(dark, dark + 0.01)) == pytest.approx(40.0, abs=1e-3)


# -- what MobileR2L's code calls SSIM ------------------------------------------------------------------


def rows_as_channels(x: np.ndarray, y: np.ndarray) -> float:
    """The reference's value for two (h, w, 3) images, window by window: rows are channels, zeros all around."""
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for row_x, row_y in zip(x, y, strict=True):
        wide_x, wide_y = np.pad(row_x, 5), np.pad(row_y, 5)
        for column in range(row_x.shape[0]):
            for colour in range(3):
                a, b = (wide[column : column + 11, colour : colour + 11] for wide in (wide_x, wide_y))
                mean_a, mean_b = (window * a).sum(), (window * b).sum()
                var_a, var_b = (window * a * a).sum() - mean_a**2, (window * b * b).sum() - mean_b**2
                covariance = (window * a * b).sum() - mean_a * mean_b
                top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
                values.append(top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return float(np.mean(values))


def test_the_ssim_of_mobiler2ls_code_takes_rows_for_channels(images):
    image, truth = images
    ours = ssim_mobiler2l(image, truth)
    theirs = [
        rows_as_channels(*(x[i].permute(1, 2, 0).double().numpy() for x in (image, truth))) for i in range(2)
    ]
    assert ours.tolist() == pytest.approx(theirs, abs=1e-5)


def test_the_ssim_of_mobiler2ls_code_is_blind_to_blur_that_the_ssim_sees():
    # As in the paper's tables: a blurred picture of smooth things on white, .99 there and .95 by the definition.
    grid = torch.linspace(-1, 1, 96)
    stripes = 0.5 + 0.2 * torch.sin(60 * grid[:, None] + 9 * grid[None, :])
    inside = (grid[:, None] ** 2 + grid[None, :] ** 2 < 0.5).float()
    truth = (inside * stripes + 1 - inside).expand(1, 3, 96, 96)
    blurred = torch.nn.functional.avg_pool2d(truth, 3, 1, 1, count_include_pad=False)
    assert float(ssim_mobiler2l(blurred, truth)) > float(ssim(blurred, truth)) + 0.01


# -- LPIPS, where it can be had ------------------------------------------------------------------------


def test_without_its_weights_lpips_is_left_out_and_one_line_says_why(monkeypatch):
    def unreachable(*_):
        raise URLError("name resolution failed")

    notes: list[str] = []
    metrics._perceptual_network.cache_clear()
    monkeypatch.setattr(metrics, "_perceptual_metric", lambda: unreachable)
    assert set(metrics.available(notes.append)) == {"psnr", "psnr_cc", "ssim", "ssim_mobiler2l"}
    (note,) = notes
    assert note == (
        "not measured: LPIPS: AlexNet's weights can't be loaded: URLError: <urlopen error name resolution failed>"
    )


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_without_torchvision_the_line_says_what_to_install():
    notes: list[str] = []
    metrics._perceptual_network.cache_clear()
    assert "lpips" not in metrics.available(notes.append)
    (note,) = notes
    assert "needs torchmetrics and torchvision: pip install 'neural-field-core[lpips]'" in note


def test_lpips_is_asked_image_by_image_with_values_from_zero_to_one(monkeypatch, images):
    class Network:
        """Stands in for AlexNet, whose weights are not at hand here: how bright the first image is."""

        def __init__(self, net_type: str) -> None:
            assert net_type == "alex"
            self.net = self

        def to(self, device):
            return self

        def __call__(self, a, b, normalize):
            return a.mean() if normalize else None

    metrics._perceptual_network.cache_clear()
    monkeypatch.setattr(metrics, "_perceptual_metric", lambda: Network)
    found = metrics.available(pytest.fail)["lpips"](*images)
    metrics._perceptual_network.cache_clear()
    assert found.tolist() == pytest.approx(images[0].mean((1, 2, 3)).tolist())


def test_a_torchvision_of_another_torch_is_one_line_and_the_other_metrics_are_measured(monkeypatch, tmp_path):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    metrics._perceptual_network.cache_clear()
    notes: list[str] = []
    assert set(metrics.available(notes.append)) == {"psnr", "psnr_cc", "ssim", "ssim_mobiler2l"}
    (note,) = notes
    assert "torchvision::nms" in note
    assert "remove torchvision" in note
